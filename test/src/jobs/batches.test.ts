/** Handlers that take many payloads at once. */
import { defineTask, handleBatch, TaskError, type BatchOptions, type TaskHandler } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { storeClick, storeClickHandler } from '../docs/examples/batches.js';
import { waitFor } from '../harness/index.js';
import { openJobs } from './fixture.js';
import { openPool } from './outbox-fixture.js';

const square = defineTask({
  name: 'square',
  queue: 'work',
  input: z.object({ n: z.number(), tenant_id: z.int().optional() }),
  output: z.object({ square: z.number(), retries: z.int() }),
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 20 } },
});

/** Squares, and notes the numbers of each call. */
function squaring(options: BatchOptions): { handler: TaskHandler; calls: number[][] } {
  const calls: number[][] = [];
  const handler = handleBatch(
    square,
    (tasks) => {
      calls.push(tasks.map(({ payload }) => payload.n));
      for (const task of tasks) task.succeed({ square: task.payload.n ** 2, retries: task.context.retries });
    },
    options,
  );
  return { handler, calls };
}

test('a batch runs when it is full, or when its first task has waited long enough', async () => {
  const { client, worker } = await openJobs();
  const { handler, calls } = squaring({ maxSize: 8, maxWaitMs: 300 });
  const items = Array.from({ length: 20 }, (_, n) => ({ payload: { n } }));
  const enqueued = await client.enqueueMany(square, items);
  worker([handler], { concurrency: 50 });
  const results = await Promise.all(enqueued.map(({ id }) => client.resultOrThrow(square, id)));
  expect(results).toEqual(items.map(({ payload }) => ({ square: payload.n ** 2, retries: 0 })));
  expect(calls.map(({ length }) => length)).toEqual([8, 8, 4]);
  expect(await client.call(square, { n: 100 })).toEqual({ square: 10_000, retries: 0 });
  expect(calls.at(-1)).toEqual([100]);
});

test('each task of a batch is settled by itself: success, retry, dead letter, a result that does not match', async () => {
  const { client, worker } = await openJobs();
  worker(
    [
      handleBatch(
        square,
        (tasks) => {
          for (const task of tasks) {
            const { payload, context } = task;
            if (payload.n === 1) task.fail(new TaskError('never', { retryable: false }));
            else if (payload.n === 2 && context.retries === 0) task.fail(new TaskError('not yet'));
            // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a program without types may do
            else if (payload.n === 3) task.succeed({ square: 'nine' } as never);
            else if (payload.n !== 4) task.succeed({ square: payload.n ** 2, retries: context.retries });
          }
          if (tasks.length > 1) throw new TaskError('the end of the batch failed');
        },
        { maxSize: 5, maxWaitMs: 50 },
      ),
    ],
    { concurrency: 5 },
  );
  const enqueued = await client.enqueueMany(
    square,
    [0, 1, 2, 3, 4].map((n) => ({ payload: { n } })),
  );
  const [zero, one, two, three, four] = await Promise.all(enqueued.map(({ id }) => client.result(id)));
  expect(zero).toMatchObject({ state: 'SUCCESS', result: { square: 0, retries: 0 } });
  expect(one).toMatchObject({ state: 'FAILURE', retries: 0, error: { message: 'never' } });
  expect(two).toMatchObject({ state: 'SUCCESS', retries: 1, result: { square: 4, retries: 1 } });
  expect(three).toMatchObject({ state: 'FAILURE', error: { message: expect.stringContaining('square: ') } });
  expect(four).toMatchObject({ state: 'FAILURE', retries: 1 });
  const letters = await client.deadLetters.list();
  expect(new Set(letters.map(({ id }) => id))).toEqual(new Set([one, three, four].map((end) => end?.id)));
});

test('a batch holds the tasks of one tenant', async () => {
  const { client, worker } = await openJobs();
  const { handler, calls } = squaring({ maxSize: 100, maxWaitMs: 200 });
  const items = Array.from({ length: 12 }, (_, n) => ({ payload: { n, tenant_id: n % 2 } }));
  const enqueued = await client.enqueueMany(square, items);
  worker([handler], { concurrency: 50 });
  await Promise.all(enqueued.map(({ id }) => client.result(id)));
  for (const call of calls) expect(new Set(call.map((n) => n % 2)).size).toBe(1);
  expect(calls.flat()).toHaveLength(12);
});

test('a task that is ended while it waits for its batch does not reach the handler', async () => {
  const { client, worker } = await openJobs();
  const { handler, calls } = squaring({ maxSize: 3, maxWaitMs: 600_000 });
  const running = worker([handler], { concurrency: 50 });
  const { id } = await client.enqueue(square, { n: 1 });
  await waitFor('the task to be gathered', () => running.runningCount === 1);
  await client.revoke(id, { terminate: true });
  expect(await client.result(id)).toMatchObject({ state: 'REVOKED' });
  const others = await client.enqueueMany(square, [{ payload: { n: 2 } }, { payload: { n: 3 } }]);
  await Promise.all(others.map((other) => client.result(other.id)));
  expect(calls).toEqual([[2, 3]]);
});

test('sizes out of bounds and contracts that compute are refused', () => {
  const done = (): void => undefined;
  expect(() => handleBatch(square, done, { maxSize: 0 })).toThrow('maxSize');
  expect(() => handleBatch(square, done, { maxWaitMs: -1 })).toThrow('maxWaitMs');
  const computing = defineTask({
    name: 'c',
    queue: 'work',
    input: z.object({}),
    output: z.null(),
    compute: true,
  });
  expect(() => handleBatch(computing, done)).toThrow('computes');
});

test('the example of the guide stores clicks with one statement', async () => {
  const pool = await openPool();
  await pool.query(
    'create table clicks (id int generated always as identity, url text not null, at timestamptz not null)',
  );
  const { client, worker } = await openJobs();
  worker([storeClickHandler(pool)], { concurrency: 500 });
  const at = '2026-11-30T08:00:00Z';
  const urls = ['https://example.com/a', 'nowhere', 'https://example.com/b'];
  const enqueued = await client.enqueueMany(
    storeClick,
    urls.map((url) => ({ payload: { tenant_id: 1, url, at } })),
  );
  const states = await Promise.all(enqueued.map(async ({ id }) => (await client.result(id)).state));
  expect(states).toEqual(['SUCCESS', 'FAILURE', 'SUCCESS']);
  const { rows } = await pool.query('select url from clicks order by id');
  expect(rows).toEqual([{ url: urls[0] }, { url: urls[2] }]);
});
