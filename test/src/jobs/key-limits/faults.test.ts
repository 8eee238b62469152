/** Limits by key while the broker restarts, while clocks are wrong, and while a handler blocks its event loop. */
import { defineTask } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, waitFor } from '../../harness/index.js';
import { openJobs, openOwnJobs, type Jobs } from '../fixture.js';

const HOUR_MS = 3_600_000;
const occupy = defineTask({
  name: 'occupy',
  queue: 'work',
  input: z.object({ account: z.string(), compute_ms: z.number(), wait_ms: z.number() }),
  output: z.object({ from: z.number(), to: z.number() }),
  keyLimits: [{ key: 'payload.account', concurrency: 1 }],
});
type Broker = Pick<Jobs, 'natsUrl' | 'topology' | 'client'>;

async function startWorker({ natsUrl, topology }: Broker, clockMs = 0): Promise<void> {
  const program = spawnProgram('test/src/jobs/key-limits/occupying-worker.mjs', {
    NATS_URL: natsUrl,
    PREFIX: topology.names.prefix,
    ACK_WAIT_MS: String(topology.ackWaitMs),
    CLOCK_SHIFT_MS: String(clockMs),
  });
  await program.ready();
}

/** Tasks that began before the one before them had ended, once all have succeeded. Times are of the machine's monotonic clock. */
async function overlapping({ client }: Broker, tasks: readonly { id: string }[]): Promise<unknown[]> {
  const records = await Promise.all(tasks.map(({ id }) => client.result(occupy, id, { timeoutMs: 100_000 })));
  const runs = records
    .map(({ state, result }) => {
      if (state !== 'SUCCESS' || result === null) throw new Error(`A task ended as ${state}.`);
      return result;
    })
    .toSorted((a, b) => a.from - b.from);
  return runs.filter(({ from }, index) => from < (runs[index - 1]?.to ?? 0));
}

const tasksOf = (account: string, count: number, waitMs: number) =>
  Array.from({ length: count }, () => ({ payload: { account, compute_ms: 0, wait_ms: waitMs } }));

test.each([[HOUR_MS, -HOUR_MS]])(
  'clocks of workers that are wrong by %i and %i ms neither free a place nor keep one',
  async (...clocks) => {
    const jobs = await openJobs({ ackWaitMs: 2_000 });
    await Promise.all(clocks.map((clockMs) => startWorker(jobs, clockMs)));
    const tasks = await jobs.client.enqueueMany(occupy, tasksOf('a', 12, 50));
    expect(await overlapping(jobs, tasks)).toEqual([]);
    await waitFor('the places to be free', async () => (await jobs.client.control.keyWaits()).length === 0);
  },
  120_000,
);

test('a broker that is killed and restarted keeps places and those who wait', async () => {
  const jobs = await openOwnJobs({ ackWaitMs: 2_000 });
  const { server, client } = jobs;
  await Promise.all([startWorker(jobs), startWorker(jobs)]);
  const tasks = await client.enqueueMany(occupy, tasksOf('a', 8, 400));
  await waitFor('one to run, and the others to wait', async () => {
    const [key] = await client.control.keyWaits();
    return key?.running === 1 && key.waiting >= 5;
  });
  await server.kill();
  await server.restart();
  expect(await overlapping(jobs, tasks)).toEqual([]);
  await waitFor('the places to be free', async () => (await client.control.keyWaits()).length === 0);
}, 120_000);

test('a handler that blocks its event loop for longer than the lease keeps its place', async () => {
  const jobs = await openJobs({ ackWaitMs: 1_000 });
  await startWorker(jobs);
  const blocking = await jobs.client.enqueue(occupy, { account: 'a', compute_ms: 9_000, wait_ms: 0 });
  await waitFor('it to have the place', async () => (await jobs.client.control.keyWaits())[0]?.running === 1);
  // Another process, which would take the place once the lease of three ack waits is over.
  await startWorker(jobs);
  const next = await jobs.client.enqueue(occupy, { account: 'a', compute_ms: 0, wait_ms: 0 });
  expect(await overlapping(jobs, [blocking, next])).toEqual([]);
}, 120_000);
