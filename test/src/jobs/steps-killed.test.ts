/**
 * Runs of steps while their workers are killed and stand still, at random. A worker that stands still for longer than its lease goes on as if
 * nothing had happened, while another one has its tasks. `STEP_RUNS` sets the number of runs.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTask } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { SpawnedProgram } from '../harness/index.js';
import { ACK_WAIT_MS, startKilledWorkers } from './killed-workers.js';

const RUNS = Number(process.env['STEP_RUNS'] ?? 40);
const STEPS = ['last', 'left', 'one', 'right'];

const travel = defineTask({
  name: 'travel',
  queue: 'work',
  input: z.object({}),
  output: z.array(z.string()),
});

test('each effect happens once, and the results are those of the effects, however workers end', async () => {
  const { client, pool, during } = await startKilledWorkers(
    'test/src/jobs/steps-worker.mjs',
    `create table began (run text, step text);
       create table effect (run text, step text, token text, primary key (run, step))`,
  );
  const ids = (
    await client.enqueueMany(
      travel,
      Array.from({ length: RUNS }, () => ({ payload: {} })),
    )
  ).map(({ id }) => id);
  const faults = { kills: 0, halts: 0 };
  const inflict = async (worker: SpawnedProgram): Promise<void> => {
    // The length of a fault, not a wait for something.
    await delay(100 + Math.random() * 500);
    if (Math.random() < 0.5) {
      faults.kills++;
      await worker.kill('SIGKILL');
    } else {
      faults.halts++;
      process.kill(worker.pid, 'SIGSTOP');
      await delay(ACK_WAIT_MS * 1.5);
      process.kill(worker.pid, 'SIGCONT');
    }
  };
  const records = await during(
    inflict,
    Promise.all(ids.map((id) => client.result(id, { timeoutMs: 540_000 }))),
  );
  const { rows } = await pool.query<{ run: string; step: string; token: string }>('select * from effect');
  const tokenOf = new Map(rows.map(({ run, step, token }) => [`${run} ${step}`, token]));
  expect(rows).toHaveLength(RUNS * STEPS.length);
  for (const { id, state, result } of records) {
    expect({ id, state }).toEqual({ id, state: 'SUCCESS' });
    expect(result).toEqual(['one', 'left', 'right', 'last'].map((step) => tokenOf.get(`${id} ${step}`)));
  }
  expect(faults.kills + faults.halts).toBeGreaterThan(0);
  // Only a step that was under way when its worker ended begins again: at most as many as the faults had tasks in hand.
  const { rows: begun } = await pool.query<{ again: number }>(
    'select count(*)::int - count(distinct (run, step))::int as again from began',
  );
  expect(begun[0]?.again).toBeLessThanOrEqual((faults.kills + faults.halts) * 8);
}, 600_000);
