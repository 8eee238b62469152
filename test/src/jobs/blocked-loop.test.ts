/** A handler blocks the event loop of its process: what it holds stays its own, and only beyond the hard limit it is ended, alone. */
import { defineTask, handleTask, type JobsClient } from '@stratum/jobs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, waitFor, type SpawnedProgram } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';

const busy = defineTask({
  name: 'busy',
  queue: 'work',
  input: z.object({ compute_ms: z.number(), wait_ms: z.number() }),
  output: z.object({ pid: z.int() }),
});
const FOREVER = 600_000;

async function startBlocking(
  { natsUrl, topology }: Jobs,
  settings: { limitMs: number; concurrency?: number; prefetch?: number },
): Promise<SpawnedProgram> {
  const program = spawnProgram('test/src/jobs/blocking-worker.mjs', {
    NATS_URL: natsUrl,
    PREFIX: topology.names.prefix,
    ACK_WAIT_MS: String(topology.ackWaitMs),
    LIMIT_MS: String(settings.limitMs),
    CONCURRENCY: String(settings.concurrency ?? 1),
    PREFETCH: String(settings.prefetch ?? 1),
  });
  await program.ready();
  return program;
}

async function enqueue(client: JobsClient, id: string, computeMs: number, waitMs = 0): Promise<void> {
  await client.enqueue(busy, { compute_ms: computeMs, wait_ms: waitMs }, { id });
}

/** A worker of this process that answers at once. */
const quick = handleTask(busy, () => ({ pid: process.pid }));

async function started(client: JobsClient, id: string): Promise<void> {
  await waitFor(`${id} to start`, async () => (await client.status(id))?.state === 'STARTED');
}

describe('a process whose event loop a handler blocks', () => {
  test('is ended beyond the hard limit; the task ends as such, and its neighbours run elsewhere without a loss', async () => {
    const jobs = await openJobs({ ackWaitMs: 2_000 });
    const { client, worker } = jobs;
    await enqueue(client, 'neighbour', 0, FOREVER);
    const blocking = await startBlocking(jobs, { limitMs: 1_500, concurrency: 2, prefetch: 2 });
    await started(client, 'neighbour');
    await enqueue(client, 'culprit', FOREVER);
    await enqueue(client, 'reserved', 0);
    expect(await blocking.exited()).toBeNull();
    expect(blocking.output()).toContain('has blocked its event loop');
    expect(await client.result('culprit')).toMatchObject({
      state: 'FAILURE',
      error: { type: 'TimeLimitExceeded' },
    });
    expect(await client.deadLetters.get('culprit')).toMatchObject({ reason: 'time_limit', attempts: 1 });
    expect(await client.status('neighbour')).toMatchObject({
      state: 'PENDING',
      deliveries: 1,
      hand_backs: 1,
    });
    worker([quick]);
    const results = await Promise.all(['neighbour', 'reserved'].map((id) => client.result(id)));
    expect(results).toMatchObject([{ state: 'SUCCESS' }, { state: 'SUCCESS' }]);
  });

  test('lives on while each of its tasks is within its own limit', async () => {
    const jobs = await openJobs({ ackWaitMs: 2_000 });
    const ids = ['one', 'two', 'three'];
    for (const id of ids) await enqueue(jobs.client, id, 1_400);
    const blocking = await startBlocking(jobs, { limitMs: 1_800, prefetch: 3 });
    const results = await Promise.all(ids.map((id) => jobs.client.result(id)));
    expect(results).toMatchObject(ids.map(() => ({ state: 'SUCCESS', result: { pid: blocking.pid } })));
    expect(results.map(({ deliveries = 1 }) => deliveries)).toEqual([1, 1, 1]);
  });

  test('keeps the task for itself, however many ack waits that takes', async () => {
    // As short as a busy machine allows: it may not run the watching thread for a second.
    const jobs = await openJobs({ ackWaitMs: 2_000 });
    const blocking = await startBlocking(jobs, { limitMs: 30_000 });
    // It waits first, as long as the process may need to be quite ready.
    await enqueue(jobs.client, 'long', 5_000, 2_000);
    await started(jobs.client, 'long');
    jobs.worker([quick]);
    const record = await jobs.client.result('long');
    expect(record).toMatchObject({ state: 'SUCCESS', result: { pid: blocking.pid } });
    expect(record.deliveries).toBeUndefined();
  });
});
