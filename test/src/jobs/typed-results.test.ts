import {
  createClient,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  ResultTimeoutError,
  TaskFailedError,
  type TaskOutcome,
} from '@stratum/jobs';
import { jetstreamManager } from '@nats-io/jetstream';
import { expect, expectTypeOf, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { testNamespace } from '../harness/index.js';
import { add, addHandler, openJobs } from './fixture.js';

const fails = defineTask({
  name: 'fails',
  queue: 'work',
  input: z.object({}),
  output: z.object({ never: z.string() }),
  retry: { maxRetries: 0 },
});

const failsHandler = handleTask(fails, () => {
  throw new RangeError('out of range');
});

test('call returns the result of the contract, result the record with it', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler]);
  const sum = await client.call(add, { a: 1, b: 2 });
  expectTypeOf(sum).toEqualTypeOf<{ sum: number }>();
  expect(sum).toEqual({ sum: 3 });

  const { id } = await client.enqueue(add, { a: 2, b: 3 });
  const outcome = await client.result(add, id, { timeoutMs: 30_000 });
  expectTypeOf(outcome).toEqualTypeOf<TaskOutcome<typeof add>>();
  expect(outcome.state === 'SUCCESS' && outcome.result.sum).toBe(5);
  expect(await client.result(id)).toEqual(outcome);
});

test('call throws a failed task’s record, and times out without ending the task', async () => {
  const { client, worker } = await openJobs();
  worker([failsHandler]);
  const failure = await client.call(fails, {}, { id: 'no-luck' }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(TaskFailedError);
  expect(failure).toMatchObject({
    code: 'task_unsuccessful',
    message: 'Task "fails" no-luck ended with state FAILURE: RangeError: out of range',
    record: { state: 'FAILURE', error: { type: 'RangeError', message: 'out of range' } },
  });

  const waiting = client.call(add, { a: 1, b: 2 }, { id: 'waits', delayMs: 60_000, timeoutMs: 20 });
  await expect(waiting).rejects.toThrow(ResultTimeoutError);
  expect((await client.status('waits'))?.state).toBe('SCHEDULED');

  const given = client.call(
    add,
    { a: 1, b: 2 },
    { delayMs: 60_000, signal: AbortSignal.abort(new Error('left')) },
  );
  await expect(given).rejects.toThrow('left');
});

test('call resolves although the notice of the result is lost', async () => {
  const { client, worker, connection, topology } = await openJobs();
  // Without it the broker tells nobody of results.
  const { streams } = await jetstreamManager(connection);
  const { config } = await streams.info(topology.names.resultStream);
  delete config.republish;
  await streams.update(topology.names.resultStream, config);
  worker([addHandler]);
  expect(await client.call(add, { a: 1, b: 2 }, { timeoutMs: 20_000 })).toEqual({ sum: 3 });
  const { id } = await client.enqueue(add, { a: 2, b: 3 });
  expect((await client.result(id, { timeoutMs: 20_000 })).result).toEqual({ sum: 5 });
});

test('call refuses at once what cannot be enqueued', async () => {
  const { client } = await openJobs({ maxPayloadBytes: 10 });
  await expect(client.call(add, { a: 1e9, b: 2e9 })).rejects.toMatchObject({ code: 'payload_too_large' });
});

test('a handler returns literals of its contract as they are', () => {
  const base = { name: 'literal', queue: 'work', input: z.object({ n: z.int() }) };
  const record = defineTask({
    ...base,
    output: z.object({
      state: z.enum(['a', 'b']),
      pair: z.tuple([z.string(), z.int()]),
      parts: z.array(z.object({ kind: z.literal('part') })),
    }),
  });
  handleTask(record, ({ n }) => ({
    state: n > 1 ? 'a' : 'b',
    pair: ['n', n],
    parts: [1, 2].map(() => ({ kind: 'part' })),
  }));
  const word = defineTask({ ...base, output: z.enum(['a', 'b']) });
  handleTask(word, async ({ n }) => {
    if (n > 1) return 'a';
    return 'b';
  });
  const union = defineTask({
    ...base,
    output: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('number'), n: z.int() }),
      z.object({ kind: z.literal('none') }),
    ]),
  });
  const handler = handleTask(union, async ({ n }) => (n > 1 ? { kind: 'number', n } : { kind: 'none' }));
  expect(handler.contract.name).toBe('literal');
  // @ts-expect-error -- a word that the contract does not have
  handleTask(word, () => 'c');
});

test('a task that keeps no result is not waited for', async () => {
  const { client } = await openJobs();
  const silent = defineTask({
    name: 'silent',
    queue: 'work',
    input: z.object({}),
    output: z.null(),
    ignoreResult: true,
  });
  await expect(client.call(silent, {})).rejects.toThrow(/"silent" keeps no result/);
  await expect(client.result(silent, 'x')).rejects.toThrow(/"silent" keeps no result/);
});

test('enqueueing without streams fails at once and names the remedy', async () => {
  const { connection, prefix } = await testNamespace();
  const topology = defineTopology({ prefix, queues: [{ name: 'work' }] });
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  // Would the client wait for its deadline, this test would not end in time.
  await expect(client.enqueue(add, { a: 1, b: 2 })).rejects.toMatchObject({
    name: 'PublishError',
    code: 'topology_missing',
    message: expect.stringContaining('reconcileTopology'),
  });
  const many = Array.from({ length: 200 }, () => ({ payload: { a: 1, b: 2 } }));
  await expect(client.enqueueMany(add, many)).rejects.toMatchObject({ code: 'topology_missing' });
  await expect(client.enqueue(add, { a: 1, b: 2 }, { delayMs: 1_000 })).rejects.toMatchObject({
    code: 'topology_missing',
  });
}, 60_000);

test('a worker without a logger writes failures to standard error, and nothing else', async () => {
  const { client, connection, topology } = await openJobs();
  const lines: string[] = [];
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((line) => {
    lines.push(String(line));
    return true;
  });
  onTestFinished(() => spy.mockRestore());
  const worker = createWorker({
    connection,
    topology,
    queues: ['work'],
    handlers: [addHandler, failsHandler],
    name: 'quiet',
  });
  worker.start();
  onTestFinished(() => worker.stop());
  await client.call(add, { a: 1, b: 2 });
  await client.call(fails, {}, { id: 'loud' }).catch(() => undefined);
  await worker.stop();
  // Parts that other tests of this process left behind may log as well, and a busy machine may add that a fetch had no answer.
  const ofTasks = lines
    .map((line) => JSON.parse(line))
    .filter(({ worker: name, consumer }) => name === 'quiet' && consumer === undefined);
  expect(ofTasks).toEqual([
    expect.objectContaining({
      level: 50,
      worker: 'quiet',
      id: 'loud',
      task: 'fails',
      msg: 'task failed for good and is now a dead letter',
      err: expect.objectContaining({ type: 'RangeError', stack: expect.stringContaining('typed-results') }),
    }),
  ]);
});
