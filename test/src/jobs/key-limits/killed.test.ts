/** Limits by key while the workers that hold places are killed at random. `LIMITED_TASKS` sets the number of tasks. */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTask } from '@stratum/jobs';
import { Pool } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { emptyDatabase, spawnProgram, waitFor, type SpawnedProgram } from '../../harness/index.js';
import { openJobs } from '../fixture.js';

const TASKS = Number(process.env['LIMITED_TASKS'] ?? 90);
const KEYS = 3;
const WORKERS = 3;
const ACK_WAIT_MS = 1_000;

const limited = defineTask({
  name: 'limited',
  queue: 'work',
  input: z.object({ account: z.int() }),
  output: z.null(),
  keyLimits: [{ key: 'payload.account', concurrency: 2 }],
});

test('never more than two of a key run, all run in the end, and no place is left', async () => {
  const { client, natsUrl, topology } = await openJobs({ ackWaitMs: ACK_WAIT_MS, maxDeliver: 1_000 });
  const database = await emptyDatabase();
  const pool = new Pool({ connectionString: database });
  onTestFinished(() => pool.end());
  await pool.query('create table excess (task text)');
  const start = (): SpawnedProgram =>
    spawnProgram('test/src/jobs/key-limits/limited-worker.mjs', {
      NATS_URL: natsUrl,
      PREFIX: topology.names.prefix,
      DATABASE_URL: database,
      ACK_WAIT_MS: String(ACK_WAIT_MS),
    });
  const workers = Array.from({ length: WORKERS }, start);
  await Promise.all(workers.map((worker) => worker.ready()));
  const tasks = await client.enqueueMany(
    limited,
    Array.from({ length: TASKS }, (_, index) => ({ payload: { account: index % KEYS } })),
  );
  const finished = new AbortController();
  let kills = 0;
  const disturb = async (): Promise<void> => {
    while (!finished.signal.aborted) {
      // The time between two faults, not a wait for something.
      await delay(1_000 + Math.random() * 2_000);
      const index = Math.floor(Math.random() * WORKERS);
      await workers[index]?.kill('SIGKILL');
      kills++;
      workers[index] = start();
    }
  };
  const disturbing = disturb();
  const records = await Promise.all(tasks.map(({ id }) => client.result(id, { timeoutMs: 540_000 })));
  finished.abort();
  await disturbing;
  expect(records.every(({ state }) => state === 'SUCCESS')).toBe(true);
  expect(kills).toBeGreaterThan(0);
  expect((await pool.query('select task from excess')).rows).toEqual([]);
  await waitFor('all places to be free', async () => (await client.control.keyWaits()).length === 0);
}, 600_000);
