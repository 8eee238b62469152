/** An example for each row of "The application" in docs/start/from-celery.md. */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import {
  connectToNats,
  createClient,
  createScheduler,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  openSchedules,
  reconcileTopology,
  SoftTimeLimitExceeded,
  type WorkerOptions,
} from '@stratum/jobs';
import { loadConfiguration } from '@stratum/shared';
import { expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { testNamespace, waitFor } from '../../harness/index.js';
import { add, addHandler, openJobs, type Jobs } from '../../jobs/fixture.js';

const nothing = z.object({});
/** It leaves limits and retries to the worker. */
const work = defineTask({ name: 'work', queue: 'work', input: nothing, output: nothing });
const failing = handleTask(work, () => {
  throw new Error('out of order');
});
const waiting = handleTask(work, async (_payload, { signal }) => {
  await delay(60_000, undefined, { signal });
  return {};
});
/** It ignores its soft limit. */
const deaf = handleTask(work, async () => {
  await delay(60_000, undefined, { ref: false });
  return {};
});

function defaults(jobs: Jobs, handler: typeof failing, options: WorkerOptions['defaults'] = {}): void {
  jobs.worker([handler], { defaults: options });
}

test('Celery("stratum_ai")', async () => {
  const { prefix, connection } = await testNamespace();
  const topology = defineTopology({ prefix, queues: [{ name: 'work' }] });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  await client.enqueue(work, {}, { id: 'own' });
  const stored = await jetstream(connection).streams.get(topology.names.queueStream('work'));
  expect((await stored.getMessage({ last_by_subj: topology.names.taskById('work', 'own') }))?.subject).toBe(
    `${prefix}.tasks.work.normal._.work.own`,
  );
});

test('broker=', async () => {
  const { NATS_URL: servers } = loadConfiguration(['NATS_URL'], { NATS_URL: inject('natsUrl') });
  const connection = await connectToNats({ servers, name: 'app' });
  onTestFinished(() => connection.close());
  expect(connection.isClosed()).toBe(false);
});

test('backend=', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler]);
  const { id } = await client.enqueue(add, { a: 1, b: 2 });
  expect(await client.result(id)).toMatchObject({ result: { sum: 3 } });
});

test('include=[…]', async () => {
  const { connection, topology } = await openJobs({ queues: [{ name: 'work' }, { name: 'other' }] });
  expect(() =>
    createWorker({ connection, topology, queues: ['work', 'other'], handlers: [addHandler] }),
  ).toThrow(/other/);
});

test('task_serializer, accept_content, result_serializer', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler]);
  await expect(client.publish('work', 'add', { a: 1n })).rejects.toThrow('BigInt');
  // @ts-expect-error -- The compiler refuses it, too.
  await expect(client.enqueue(add, { a: '1', b: 2 })).rejects.toThrow(/a: /);
});

test('timezone="UTC"', async () => {
  const { connection, topology } = await openJobs();
  const schedules = openSchedules({ connection, topology, contracts: [work] });
  onTestFinished(() => schedules.close());
  const scheduler = createScheduler({
    connection,
    topology,
    contracts: [work],
    entries: [
      { name: 'utc', task: 'work', cron: '0 6 1 1 *' },
      { name: 'tokyo', task: 'work', cron: '0 6 1 1 *', time_zone: 'Asia/Tokyo' },
    ],
  });
  scheduler.start();
  onTestFinished(() => scheduler.stop());
  await waitFor('the entries', async () => (await schedules.list()).length === 2);
  expect((await schedules.get('utc')).time_zone).toBe('UTC');
  expect((await schedules.get('tokyo')).time_zone).toBe('Asia/Tokyo');
});

test('task_acks_late=True', async () => {
  const { client, worker } = await openJobs();
  const running: number[] = [];
  worker([
    handleTask(add, async ({ a, b }, { id }) => {
      const [queue] = await client.queues();
      running.push(queue?.running ?? 0);
      expect(await client.status(id)).toBeDefined();
      return { sum: a + b };
    }),
  ]);
  expect(await client.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
  // Its message was on the broker while it ran, and is gone now.
  expect(running).toEqual([1]);
  await waitFor('its acknowledgement', async () => (await client.queues())[0]?.running === 0);
});

test('task_reject_on_worker_lost=True', async () => {
  const { client, connection, topology, worker } = await openJobs({ ackWaitMs: 300, maxDeliver: 5 });
  await client.enqueue(add, { a: 1, b: 2 }, { id: 'lost' });
  // A worker that took it and is never heard of again.
  const lane = await jetstream(connection).consumers.get(topology.names.queueStream('work'), 'work-normal');
  await lane.next();
  worker([addHandler]);
  expect(await client.result('lost')).toMatchObject({ state: 'SUCCESS', deliveries: 2 });
});

test('task_track_started=True', async () => {
  const jobs = await openJobs();
  defaults(jobs, waiting);
  const { id } = await jobs.client.enqueue(work, {});
  const started = await waitFor('its start', async () => {
    const record = await jobs.client.status(id);
    return record?.state === 'STARTED' && record;
  });
  expect(started.started_at).not.toBeNull();
  await jobs.client.revoke(id, { terminate: true });
});

test('task_default_retry_delay=60', async () => {
  const { TASK_RETRY_DELAY: delayMs } = loadConfiguration(['TASK_RETRY_DELAY'], {});
  expect(delayMs).toBe(60_000);
  const jobs = await openJobs();
  defaults(jobs, failing, { backoff: { kind: 'fixed', delayMs } });
  const { id } = await jobs.client.enqueue(work, {});
  await waitFor('the wait', async () => (await jobs.client.status(id))?.state === 'RETRY');
});

test('task_max_retries=3', async () => {
  const { TASK_MAX_RETRIES: maxRetries } = loadConfiguration(['TASK_MAX_RETRIES'], {});
  const jobs = await openJobs();
  defaults(jobs, failing, { maxRetries, backoff: { kind: 'fixed', delayMs: 10 } });
  const { id } = await jobs.client.enqueue(work, {});
  expect(await jobs.client.result(id)).toMatchObject({ state: 'FAILURE', retries: 3 });
});

test('worker_prefetch_multiplier=1', async () => {
  const { WORKER_PREFETCH_MULTIPLIER: configured } = loadConfiguration(['WORKER_PREFETCH_MULTIPLIER'], {});
  expect(configured).toBe(1);
  const { client, worker } = await openJobs();
  worker([waiting], { concurrency: 1, prefetchMultiplier: 2, shutdownGraceMs: 0 });
  await client.enqueueMany(work, [{ payload: {} }, { payload: {} }, { payload: {} }]);
  await waitFor('one to run and one to be held', async () => {
    const [figures] = await client.control.workers();
    return figures?.running === 1 && figures.reserved === 1;
  });
});

test('worker_concurrency=4', async () => {
  const { WORKER_CONCURRENCY: concurrency } = loadConfiguration(['WORKER_CONCURRENCY'], {});
  const { client, worker } = await openJobs();
  worker([waiting], { concurrency, shutdownGraceMs: 0 });
  await client.enqueueMany(
    work,
    Array.from({ length: 5 }, () => ({ payload: {} })),
  );
  expect(concurrency).toBe(4);
  await waitFor('four to run', async () => (await client.control.workers())[0]?.running === 4);
});

test('result_expires=86400', async () => {
  const { RESULT_EXPIRES: resultExpiresMs } = loadConfiguration(['RESULT_EXPIRES'], {});
  expect(resultExpiresMs).toBe(86_400_000);
  const { client, worker } = await openJobs({ resultExpiresMs });
  // This contract has its own.
  const brief = defineTask({
    name: 'brief',
    queue: 'work',
    input: nothing,
    output: nothing,
    resultExpiresMs: 1_000,
  });
  worker([handleTask(brief, () => ({}))]);
  const { id } = await client.enqueue(brief, {});
  await client.result(id);
  await waitFor('its record to expire', async () => (await client.status(id)) === undefined);
});

test('task_time_limit=600', async () => {
  const { TASK_TIME_LIMIT: timeLimitMs } = loadConfiguration(['TASK_TIME_LIMIT'], { TASK_TIME_LIMIT: '1' });
  const jobs = await openJobs();
  defaults(jobs, deaf, { timeLimitMs, softTimeLimitMs: timeLimitMs, maxRetries: 0 });
  const { id } = await jobs.client.enqueue(work, {});
  expect(await jobs.client.result(id)).toMatchObject({
    state: 'FAILURE',
    error: { type: 'TimeLimitExceeded' },
  });
});

test('task_soft_time_limit=540', async () => {
  const { TASK_SOFT_TIME_LIMIT: softTimeLimitMs } = loadConfiguration(['TASK_SOFT_TIME_LIMIT'], {
    TASK_SOFT_TIME_LIMIT: '1',
  });
  const jobs = await openJobs();
  const reasons: unknown[] = [];
  jobs.worker(
    [
      handleTask(work, async (_payload, { signal }) => {
        await delay(60_000, undefined, { signal }).catch(() => reasons.push(signal.reason));
        return {};
      }),
    ],
    { defaults: { softTimeLimitMs } },
  );
  await jobs.client.call(work, {});
  expect(reasons).toEqual([expect.any(SoftTimeLimitExceeded)]);
});
