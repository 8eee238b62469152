/**
 * Runs of steps while their workers are killed and stand still, at random. A worker that stands still for longer than its lease goes on as if
 * nothing had happened, while another one has its tasks. `STEP_RUNS` sets the number of runs.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTask } from '@stratum/jobs';
import { Pool } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { emptyDatabase, spawnProgram, type SpawnedProgram } from '../harness/index.js';
import { openJobs } from './fixture.js';

const RUNS = Number(process.env['STEP_RUNS'] ?? 40);
const ACK_WAIT_MS = 1_000;
const WORKERS = 3;
const STEPS = ['last', 'left', 'one', 'right'];

const travel = defineTask({
  name: 'travel',
  queue: 'work',
  input: z.object({}),
  output: z.array(z.string()),
});

test('each effect happens once, and the results are those of the effects, however workers end', async () => {
  const { client, natsUrl, topology } = await openJobs({ ackWaitMs: ACK_WAIT_MS, maxDeliver: 1_000 });
  const database = await emptyDatabase();
  const pool = new Pool({ connectionString: database });
  onTestFinished(() => pool.end());
  await pool.query(
    `create table began (run text, step text);
       create table effect (run text, step text, token text, primary key (run, step))`,
  );
  const start = (): SpawnedProgram =>
    spawnProgram('test/src/jobs/steps-worker.mjs', {
      NATS_URL: natsUrl,
      PREFIX: topology.names.prefix,
      DATABASE_URL: database,
      ACK_WAIT_MS: String(ACK_WAIT_MS),
    });
  const workers = Array.from({ length: WORKERS }, start);
  await Promise.all(workers.map((worker) => worker.ready()));
  const ids = (
    await client.enqueueMany(
      travel,
      Array.from({ length: RUNS }, () => ({ payload: {} })),
    )
  ).map(({ id }) => id);
  const finished = new AbortController();
  const { signal } = finished;
  const faults = { kills: 0, halts: 0 };
  const disturb = async (): Promise<void> => {
    while (!signal.aborted) {
      // The length of a fault, not a wait for something.
      await delay(100 + Math.random() * 500);
      const index = Math.floor(Math.random() * WORKERS);
      const worker = workers[index];
      if (worker === undefined || signal.aborted) return;
      if (Math.random() < 0.5) {
        faults.kills++;
        await worker.kill('SIGKILL');
        workers[index] = start();
      } else {
        faults.halts++;
        process.kill(worker.pid, 'SIGSTOP');
        await delay(ACK_WAIT_MS * 1.5);
        process.kill(worker.pid, 'SIGCONT');
      }
    }
  };
  const disturbing = disturb();
  const records = await Promise.all(ids.map((id) => client.result(id, { timeoutMs: 540_000 })));
  finished.abort();
  await disturbing;
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
