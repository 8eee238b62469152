/**
 * Runs that take steps, sleep, call tasks and wait for events, while their workers are killed and stand still, at random. A worker that stands still for longer than its lease goes on as if
 * nothing had happened, while another one has its tasks. `STEP_RUNS` sets the number of runs.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createReaper, defineTask, type JobsClient } from '@stratum/jobs';
import { BackgroundLoop } from '@stratum/jobs/internal';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { SpawnedProgram } from '../harness/index.js';
import { ACK_WAIT_MS, startKilledWorkers } from './killed-workers.js';

const RUNS = Number(process.env['STEP_RUNS'] ?? 40);
const EFFECTS = ['one', 'left', 'right', 'leg 0', 'leg 1', 'last'];
/** Of a run under faults, with all others beside it. */
const TIMEOUT_MS = 540_000 + RUNS * 300;

const travel = defineTask({
  name: 'travel',
  queue: 'work',
  input: z.object({}),
  output: z.array(z.string()),
});

test(
  'each effect happens once, and the results are those of the effects, however workers end',
  async () => {
    const { client, connection, topology, pool, during } = await startKilledWorkers(
      'test/src/jobs/steps-worker.mjs',
      `create table began (run text, step text);
       create table effect (run text, step text, token text, primary key (run, step));
       create table called (run text, leg int, id text, primary key (run, leg, id));
       create table asked (run text primary key, answered boolean not null default false)`,
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
    const reaper = createReaper({ connection, topology, logger: pino({ level: 'silent' }) });
    reaper.start();
    onTestFinished(() => reaper.stop());
    const answers = new BackgroundLoop({
      run: () => answer(client, pool),
      everyMs: 50,
      onFailure: (error) => expect.fail(String(error)),
    });
    answers.start();
    onTestFinished(() => answers.stop());
    const records = await during(
      inflict,
      Promise.all(ids.map((id) => client.result(id, { timeoutMs: TIMEOUT_MS }))),
    );
    const { rows } = await pool.query<{ run: string; step: string; token: string }>('select * from effect');
    const tokenOf = new Map(rows.map(({ run, step, token }) => [`${run} ${step}`, token]));
    expect(rows).toHaveLength(RUNS * EFFECTS.length);
    for (const { id, state, result } of records) {
      expect({ id, state }).toEqual({ id, state: 'SUCCESS' });
      const tokens = EFFECTS.map((step) => tokenOf.get(`${id} ${step}`));
      expect(result).toEqual(tokens.toSpliced(-1, 0, `for ${id}`));
    }
    // Each leg is one task, however often the run began anew beside it.
    const { rows: called } = await pool.query<{ legs: number }>('select count(*)::int as legs from called');
    expect(called).toEqual([{ legs: RUNS * 2 }]);
    expect(faults.kills + faults.halts).toBeGreaterThan(0);
    // Only a step that was under way when its worker ended begins again: at most as many as the faults had tasks in hand.
    const { rows: begun } = await pool.query<{ again: number }>(
      'select count(*)::int - count(distinct (run, step))::int as again from began',
    );
    expect(begun[0]?.again).toBeLessThanOrEqual((faults.kills + faults.halts) * 8);
    if (process.env['STEP_RUNS'] !== undefined)
      process.stdout.write(
        `${RUNS} runs, ${rows.length} effects, ${faults.kills} kills, ${faults.halts} halts, ${begun[0]?.again} steps begun again\n`,
      );
  },
  TIMEOUT_MS + 60_000,
);

/** Answers those who have asked: twice each, with one event, and then with another that nobody waits for. */
async function answer(client: JobsClient, pool: Pool): Promise<undefined> {
  const { rows } = await pool.query<{ run: string }>('select run from asked where not answered');
  await Promise.all(
    rows.map(async ({ run }) => {
      for (const payload of [`for ${run}`, `for ${run}`, 'too late'])
        await client.sendEvent('answer', payload, {
          key: run,
          id: payload === 'too late' ? 'late' : 'first',
        });
    }),
  );
  await pool.query('update asked set answered = true where run = any($1)', [rows.map(({ run }) => run)]);
}
