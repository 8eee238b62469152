/** Limits by key while the workers that hold places are killed at random. `LIMITED_TASKS` sets the number of tasks. */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTask } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { startKilledWorkers } from '../killed-workers.js';

const TASKS = Number(process.env['LIMITED_TASKS'] ?? 90);
const KEYS = 3;

const limited = defineTask({
  name: 'limited',
  queue: 'work',
  input: z.object({ account: z.int() }),
  output: z.null(),
  keyLimits: [{ key: 'payload.account', concurrency: 2 }],
});

test('never more than two of a key run, all run in the end, and no place is left', async () => {
  const { client, pool, during } = await startKilledWorkers(
    'test/src/jobs/key-limits/limited-worker.mjs',
    'create table excess (task text)',
  );
  const tasks = await client.enqueueMany(
    limited,
    Array.from({ length: TASKS }, (_, index) => ({ payload: { account: index % KEYS } })),
  );
  let kills = 0;
  const records = await during(
    async (worker) => {
      // The time between two faults, not a wait for something.
      await delay(1_000 + Math.random() * 2_000);
      await worker.kill('SIGKILL');
      kills++;
    },
    Promise.all(tasks.map(({ id }) => client.result(id, { timeoutMs: 540_000 }))),
  );
  expect(records.every(({ state }) => state === 'SUCCESS')).toBe(true);
  expect(kills).toBeGreaterThan(0);
  expect((await pool.query('select task from excess')).rows).toEqual([]);
  await waitFor('all places to be free', async () => (await client.control.keyWaits()).length === 0);
}, 600_000);
