/** An example for each row of docs/start/from-bullmq.md. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  chain,
  chord,
  connectToNats,
  createReaper,
  createScheduler,
  createWorker,
  defineTask,
  defineTopology,
  group,
  handleTask,
  isolateTask,
  openSchedules,
  reconcileTopology,
  step,
  TaskError,
} from '@stratum/jobs';
import { collectQueueMetrics } from '@stratum/jobs/metrics';
import { Registry } from 'prom-client';
import { expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { runStratum } from '../../cli/stratum.js';
import { testNamespace, waitFor } from '../../harness/index.js';
import { add as contract, addHandler, flaky, flakyHandler, openJobs } from '../../jobs/fixture.js';
import { trainModel, trainModelHandler } from '../examples/writing-a-task.js';

const payload = { a: 1, b: 2 };
const failing = handleTask(contract, () => {
  throw new TaskError('broken', { retryable: false });
});
const waiting = handleTask(contract, async (_payload, { signal }) => {
  await delay(60_000, undefined, { signal });
  return { sum: 0 };
});

test('new IORedis(…)', async () => {
  const servers = inject('natsUrl');
  const connection = await connectToNats({ servers, name: 'app' });
  onTestFinished(() => connection.close());
  expect(connection.isClosed()).toBe(false);
});

test("new Queue('mail', { connection })", async () => {
  const { connection, prefix } = await testNamespace();
  const topology = defineTopology({ prefix, queues: [{ name: 'mail' }] });
  const { created } = await reconcileTopology(connection, topology);
  expect(created).toContain(topology.names.queueStream('mail'));
});

test("queue.add('send', data)", async () => {
  const { client } = await openJobs();
  await client.enqueue(contract, payload);
  // @ts-expect-error -- The compiler refuses it, too.
  await expect(client.enqueue(contract, { a: '1' })).rejects.toThrow(/a: /);
});

test('queue.addBulk([…])', async () => {
  const { client } = await openJobs();
  const items = [{ payload }, { payload }];
  expect(await client.enqueueMany(contract, items)).toHaveLength(2);
});

test("new Worker('mail', async (job) => …)", async () => {
  const { client, connection, topology } = await openJobs();
  const worker = createWorker({
    connection,
    topology,
    queues: ['work'],
    handlers: [addHandler, flakyHandler],
  });
  worker.start();
  onTestFinished(() => worker.stop());
  expect(await client.call(contract, payload)).toEqual({ sum: 3 });
  expect(await client.call(flaky, { failures: 0 })).toEqual({ retries: 0 });
});

test('job.data, job.id, job.attemptsMade', async () => {
  const { client, worker } = await openJobs();
  worker([handleTask(contract, ({ a }, context) => ({ sum: a + context.id.length + context.retries }))]);
  expect(await client.call(contract, payload, { id: 'four' })).toEqual({ sum: 5 });
});

test('{ delay: 60_000 }', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler]);
  const delayed = await client.enqueue(contract, payload, { delayMs: 60_000 });
  const later = await client.enqueue(contract, payload, { eta: new Date(Date.now() + 60_000) });
  for (const { id } of [delayed, later])
    expect(await client.status(id)).toMatchObject({ state: 'SCHEDULED' });
});

test('{ priority: 1 }', async () => {
  const { client } = await openJobs();
  await client.enqueue(contract, payload, { priority: 'high' });
  await client.enqueue(contract, payload, { priority: 'normal' });
  await client.enqueue(contract, payload, { priority: 'low' });
  expect(await client.queues()).toMatchObject([{ high: 1, normal: 1, low: 1 }]);
});

test("{ attempts: 4, backoff: { type: 'exponential', delay: 1000 } }", async () => {
  const { client, worker } = await openJobs();
  const output = z.object({});
  const patient = defineTask({
    name: 'patient',
    queue: 'work',
    input: z.object({}),
    output,
    // One millisecond in place of a second.
    retry: { maxRetries: 3, backoff: { kind: 'exponential', initialMs: 1, maxMs: 600_000 } },
  });
  let attempts = 0;
  worker([
    handleTask(patient, () => {
      attempts += 1;
      throw new Error('again');
    }),
  ]);
  const { id } = await client.enqueue(patient, {});
  expect(await client.result(id)).toMatchObject({ state: 'FAILURE', retries: 3 });
  expect(attempts).toBe(4);
});

test('UnrecoverableError', async () => {
  const { client, worker } = await openJobs();
  worker([
    handleTask(contract, () => {
      throw new TaskError('no such account', { retryable: false });
    }),
  ]);
  const { id } = await client.enqueue(contract, payload);
  expect(await client.result(id)).toMatchObject({ state: 'FAILURE', retries: 0 });
});

test('job.moveToDelayed(…), DelayedError', async () => {
  const { client, worker } = await openJobs();
  let attempts = 0;
  worker([
    handleTask(contract, (_payload, context) => {
      attempts += 1;
      if (attempts === 1) context.snooze(20);
      return { sum: context.retries };
    }),
  ]);
  expect(await client.call(contract, payload)).toEqual({ sum: 0 });
  expect(attempts).toBe(2);
});

test('{ jobId }, { deduplication: { id, ttl } }', async () => {
  const { client } = await openJobs();
  await client.enqueue(contract, payload, { id: 'one' });
  expect(await client.enqueue(contract, payload, { id: 'one' })).toMatchObject({ duplicate: true });
  const { id } = await client.enqueue(contract, payload, { uniqueKey: 'acme' });
  expect(await client.enqueue(contract, payload, { uniqueKey: 'acme' })).toEqual({ id, duplicate: true });
  const held = { uniqueKey: 'acme/day', uniqueForMs: 86_400_000 };
  await client.enqueue(contract, payload, held);
  expect(await client.enqueue(contract, payload, held)).toMatchObject({ duplicate: true });
});

test('job.updateProgress(50)', async () => {
  const { client, worker } = await openJobs();
  worker([
    handleTask(contract, async (_payload, context) => {
      context.progress(50, 100, 'half');
      await delay(60_000, undefined, { signal: context.signal });
      return { sum: 0 };
    }),
  ]);
  const { id } = await client.enqueue(contract, payload);
  await waitFor('the progress', async () => (await client.status(id))?.progress?.done === 50);
  await client.revoke(id, { terminate: true });
  expect((await client.result(id)).progress).toEqual({ done: 50, total: 100, note: 'half' });
});

test('QueueEvents, job.waitUntilFinished(events)', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler]);
  const { id } = await client.enqueue(contract, payload);
  const states = [];
  for await (const { state } of client.watch(id)) states.push(state);
  expect(states.at(-1)).toBe('SUCCESS');
  expect(await client.result(contract, id)).toMatchObject({ result: { sum: 3 } });
  expect(await client.call(contract, payload)).toEqual({ sum: 3 });
});

test('job.getState(), returnvalue, failedReason', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler, flakyHandler]);
  const done = await client.enqueue(contract, payload);
  const failed = await client.enqueue(flaky, { failures: 1 }, { maxRetries: 0 });
  for (const { id } of [done, failed]) await client.result(id);
  const { state, result } = (await client.status(done.id)) ?? {};
  expect({ state, result }).toEqual({ state: 'SUCCESS', result: { sum: 3 } });
  const { error } = (await client.status(failed.id)) ?? {};
  expect(error?.message).toBe('failure 1');
});

test('failed jobs, job.retry()', async () => {
  const { client, natsUrl, topology, worker } = await openJobs();
  const first = worker([failing]);
  const { id } = await client.enqueue(contract, payload);
  await client.result(id);
  expect(await client.deadLetters.list()).toMatchObject([{ id }]);
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: topology.names.prefix };
  // `stratum dead list`
  expect((await runStratum(['dead', 'list'], env)).stdout).toContain('not_retryable');
  await first.stop();
  worker([addHandler]);
  await client.deadLetters.replay(id);
  await waitFor('its success', async () => (await client.status(id))?.state === 'SUCCESS');
});

test('removeOnComplete, removeOnFail', async () => {
  const { client, worker } = await openJobs({ resultExpiresMs: 3_600_000, deadLettersExpireMs: 86_400_000 });
  const silent = defineTask({
    name: 'silent',
    queue: 'work',
    input: z.object({}),
    output: z.object({}),
    ignoreResult: true,
  });
  let ran = false;
  worker([
    handleTask(silent, () => {
      ran = true;
      return {};
    }),
  ]);
  const { id } = await client.enqueue(silent, {});
  await waitFor('it to run', () => ran);
  const gone = await waitFor('its message to be gone', async () => (await client.status(id)) === undefined);
  expect(gone).toBe(true);
});

test("queue.upsertJobScheduler('daily', { pattern, tz })", async () => {
  const { connection, topology } = await openJobs();
  const daily = { name: 'daily', task: 'add', payload, cron: '0 6 * * *', time_zone: 'Europe/Berlin' };
  const scheduler = createScheduler({ connection, topology, contracts: [contract], entries: [daily] });
  scheduler.start();
  onTestFinished(() => scheduler.stop());
  const schedules = openSchedules({ connection, topology, contracts: [contract] });
  onTestFinished(() => schedules.close());
  expect(await waitFor('the entry', async () => (await schedules.list())[0])).toMatchObject(daily);
});

test('FlowProducer: children, then the parent', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler, flakyHandler]);
  const children = group(step(contract, payload), step(contract, payload));
  const { id } = await client.workflows.start(chain(chord(children, step(flaky, { failures: 0 }))));
  expect(await client.workflows.result(id)).toMatchObject({ state: 'SUCCESS', result: { retries: 0 } });
});

test('job.getChildrenValues()', async () => {
  const { client, worker } = await openJobs();
  const total = defineTask({
    name: 'total',
    queue: 'work',
    input: z.object({ sums: z.array(z.object({ sum: z.number() })) }),
    output: z.object({ total: z.number(), all: z.json() }),
  });
  worker([
    addHandler,
    handleTask(total, async ({ sums }, context) => ({
      total: sums.reduce((sum, each) => sum + each.sum, 0),
      all: z.json().parse(await context.previous()),
    })),
  ]);
  const children = [step(contract, payload), step(contract, payload)];
  const { id } = await client.workflows.start(
    chord(children, step(total, {}, { with: { sums: '$previous' } })),
  );
  expect(await client.workflows.result(id)).toMatchObject({
    result: { total: 6, all: [{ sum: 3 }, { sum: 3 }] },
  });
});

test('concurrency, limiter: { max, duration }', async () => {
  const { client, worker } = await openJobs();
  worker([waiting], { concurrency: 2, shutdownGraceMs: 0 });
  await client.control.setRateLimit('add', { limit: 1, perMs: 3_600_000 });
  expect(await client.control.rateLimits()).toEqual([{ task: 'add', limit: 1, perMs: 3_600_000 }]);
  await client.enqueueMany(contract, [{ payload }, { payload }]);
  await waitFor('one to run', async () => {
    const [answer] = await client.control.inspect('active');
    return Array.isArray(answer?.reply) && answer.reply.length === 1;
  });
});

test('sandboxed processors', async () => {
  // It is made by `isolateTask(trainModel, { module })`.
  expect(isolateTask(trainModel, { module: new URL('file:///model.js') }).contract).toBe(trainModel);
  const { client, worker } = await openJobs({ queues: [{ name: 'default' }] });
  worker([trainModelHandler], { queues: ['default'] });
  expect(await client.call(trainModel, { rounds: 1 })).toEqual({ loss: 0.5 });
});

test('lockDuration, stalledInterval, maxStalledCount', async () => {
  const { connection, topology } = await openJobs({ ackWaitMs: 30_000, maxDeliver: 5 });
  expect(topology).toMatchObject({ ackWaitMs: 30_000, maxDeliver: 5 });
  // Without it, such a task stays in its stream.
  const reaper = createReaper({ connection, topology });
  reaper.start();
  await reaper.stop();
});

test('queue.pause(), queue.drain()', async () => {
  const { client } = await openJobs();
  await client.control.pause('work');
  expect(await client.queues()).toMatchObject([{ paused: true }]);
  await client.enqueue(contract, payload);
  expect(await client.purge('work')).toBe(1);
});

test('worker.close()', async () => {
  const { client, worker: start } = await openJobs();
  const worker = start([addHandler]);
  await client.call(contract, payload);
  await worker.stop();
  const gone = await waitFor('its end', async () => (await client.control.workers()).length === 0);
  expect(gone).toBe(true);
});

test('Bull Board, metrics', async () => {
  const { client, natsUrl, topology } = await openJobs();
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: topology.names.prefix };
  // `stratum status`, `stratum queues`
  for (const command of ['status', 'queues'])
    expect((await runStratum([command], env)).stdout).toContain('work');
  const registry = new Registry();
  collectQueueMetrics(client, registry);
  expect(await registry.metrics()).toContain('stratum_queue_tasks{queue="work"');
});
