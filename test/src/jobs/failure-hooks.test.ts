/** What a program learns of a task that has failed for good. */
import { defineTask, handleTask, TaskError, TaskFailedError, type TaskFailure } from '@stratum/jobs';
import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { add, addHandler, openJobs } from './fixture.js';

const fails = defineTask({
  name: 'fails',
  queue: 'work',
  input: z.object({ why: z.string() }),
  output: z.object({ sum: z.number() }),
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 1 } },
});
const once = defineTask({
  name: 'once',
  queue: 'work',
  input: fails.input,
  output: fails.output,
  retry: 'never',
});

const failing = (): never => {
  throw new TaskError('no such mailbox');
};

test('onFailure is called once retries are used up, with error, reason, payload and a context that enqueues', async () => {
  const { client, worker } = await openJobs();
  const failures: TaskFailure[] = [];
  worker([
    addHandler,
    handleTask(fails, failing, {
      onFailure: async (failure) => {
        failures.push(failure);
        await failure.context.enqueue(add, { a: 1, b: 2 }, { id: 'compensation' });
      },
    }),
  ]);
  const { id } = await client.enqueue(fails, { why: 'test' });
  await client.result(id);
  expect(failures).toMatchObject([
    { reason: 'max_retries', payload: { why: 'test' }, context: { id, retries: 1 } },
  ]);
  expect(failures[0]?.error).toBeInstanceOf(TaskError);
  expect(await client.result('compensation')).toMatchObject({ state: 'SUCCESS', parent_id: id });
});

test.each([
  ['throws', () => failing()],
  ['rejects', () => Promise.reject(new Error('hook'))],
  [
    'throws something odd',
    () => {
      throw Object.create(null);
    },
  ],
])('a hook that %s changes nothing', async (_, onFailure) => {
  const { client, worker } = await openJobs();
  worker([handleTask(once, failing, { onFailure }), addHandler]);
  const { id } = await client.enqueue(once, { why: 'test' });
  expect(await client.result(id)).toMatchObject({
    state: 'FAILURE',
    retries: 0,
    error: { type: 'TaskError' },
  });
  expect(await client.deadLetters.get(id)).toMatchObject({ reason: 'max_retries' });
  expect(await client.call(add, { a: 1, b: 1 })).toEqual({ sum: 2 });
});

test('onFailure hears of a payload that does not match', async () => {
  const { client, worker } = await openJobs();
  const failures: TaskFailure[] = [];
  worker([handleTask(once, failing, { onFailure: (failure) => failures.push(failure) })]);
  const { id } = await client.publish('work', 'once', { why: 7 });
  await client.result(id);
  expect(failures).toMatchObject([{ reason: 'invalid_payload', payload: { why: 7 } }]);
});

test('resultOrThrow returns the result, and throws the task’s error', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler, handleTask(once, failing)]);
  const good = await client.enqueue(add, { a: 1, b: 2 });
  const result = await client.resultOrThrow(add, good.id);
  expectTypeOf(result).toEqualTypeOf<{ sum: number }>();
  expect(result).toEqual({ sum: 3 });
  expect(await client.resultOrThrow(good.id)).toEqual({ sum: 3 });

  const bad = await client.enqueue(once, { why: 'test' });
  const error: unknown = await client.resultOrThrow(once, bad.id).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TaskFailedError);
  expect(error).toMatchObject({
    code: 'task_unsuccessful',
    record: { id: bad.id, state: 'FAILURE' },
    cause: { name: 'TaskError', message: 'no such mailbox' },
  });
  expect(await client.ready(bad.id)).toBe(true);
  expect(await client.ready('nobody-knows-it')).toBeUndefined();
});

test('a contract may keep its payload in the record, masked; without keepPayload it is gone with the message', async () => {
  const { client, worker } = await openJobs();
  const input = z.object({ to: z.string(), password: z.string() });
  const kept = defineTask({ name: 'kept', queue: 'work', input, output: z.null(), keepPayload: true });
  worker([addHandler, handleTask(kept, () => null)]);
  const { id } = await client.enqueue(kept, { to: 'Ada', password: 'x' });
  expect(await client.result(id)).toMatchObject({ payload: { to: 'Ada', password: '***' } });
  const { id: other } = await client.enqueue(add, { a: 1, b: 2 });
  expect(await client.result(other)).not.toHaveProperty('payload');
  await waitFor('its message to be gone', async () => (await client.maskedPayload(other)) === undefined);
});

test('payloads are shown with sensitive fields masked: held, running and dead ones', async () => {
  const secret = defineTask({
    name: 'secret',
    queue: 'work',
    input: z.object({
      to: z.string(),
      email: z.string(),
      nested: z.object({ apiToken: z.string(), phone: z.string().meta({ sensitive: true }) }),
    }),
    output: z.null(),
    retry: 'never',
    sensitive: ['email'],
  });
  const payload = { to: 'Ada', email: 'a@b.c', nested: { apiToken: 'x', phone: '1' } };
  const masked = { to: 'Ada', email: '***', nested: { apiToken: '***', phone: '***' } };
  const jobs = await openJobs();
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const worker = jobs.worker([handleTask(secret, () => released.then(failing))], {
    concurrency: 1,
    prefetchMultiplier: 2,
  });
  const { client } = jobs;
  const ids = await client.enqueueMany(secret, [{ payload }, { payload }]);
  await waitFor('both', () => worker.active().length + worker.reserved().length === 2);
  expect(worker.active()).toMatchObject([{ payload: masked }]);
  expect(worker.reserved()).toMatchObject([{ payload: masked }]);
  release();
  const first = ids[0]?.id ?? '';
  await client.result(first);
  // This client has no contracts, so it masks by name alone.
  expect(await client.maskedPayload(first)).toEqual({
    to: 'Ada',
    email: 'a@b.c',
    nested: { apiToken: '***', phone: '1' },
  });
  expect(await client.maskedPayload('nobody-knows-it')).toBeUndefined();
});
