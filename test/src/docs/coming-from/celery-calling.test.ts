/** An example for each row of "Task with retry", "Asynchronous call", "Task status" and "Task failure" in docs/start/from-celery.md. */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTask, handleTask, TaskError } from '@stratum/jobs';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { add as contract, addHandler, flaky, flakyHandler, openJobs } from '../../jobs/fixture.js';

class HttpError extends Error {
  override readonly name = 'HttpError';
}

const payload = { a: 1, b: 2 };
const input = z.object({ url: z.string() });
const output = z.object({ retries: z.int() });

test('bind=True, self', async () => {
  const { client, worker } = await openJobs();
  worker([handleTask(contract, (_payload, context) => ({ sum: context.id.length }))]);
  expect(await client.call(contract, payload, { id: 'seven' })).toEqual({ sum: 5 });
});

test('autoretry_for=(HTTPException,)', async () => {
  const { client, worker } = await openJobs();
  const fetchPage = defineTask({
    name: 'fetch_page',
    queue: 'work',
    input,
    output,
    retry: { retryOn: (error) => error instanceof HttpError, backoff: { kind: 'fixed', delayMs: 10 } },
  });
  worker([
    handleTask(fetchPage, ({ url }, { retries }) => {
      if (url === 'broken') throw new TypeError('no such host');
      if (retries === 0) throw new HttpError('503');
      return { retries };
    }),
  ]);
  expect(await client.call(fetchPage, { url: 'slow' })).toEqual({ retries: 1 });
  const { id } = await client.enqueue(fetchPage, { url: 'broken' });
  expect(await client.result(id)).toMatchObject({ state: 'FAILURE', retries: 0 });
});

test('retry_backoff=True', async () => {
  const { client, worker } = await openJobs();
  const backoff = { kind: 'exponential', initialMs: 100, maxMs: 600_000, jitter: 'none' } as const;
  const patient = defineTask({
    name: 'patient',
    queue: 'work',
    input: z.object({}),
    output,
    retry: { backoff },
  });
  const starts: number[] = [];
  worker([
    handleTask(patient, (_payload, { retries }) => {
      starts.push(Date.now());
      if (retries < 2) throw new Error('not yet');
      return { retries };
    }),
  ]);
  expect(await client.call(patient, {})).toEqual({ retries: 2 });
  // At least 100 ms, then at least 200 ms.
  expect((starts[2] ?? 0) - (starts[0] ?? 0)).toBeGreaterThanOrEqual(299);
});

test('retry_backoff_max=600', async () => {
  const { client, worker } = await openJobs();
  const backoff = { kind: 'exponential', initialMs: 3_600_000, maxMs: 20, jitter: 'none' } as const;
  const capped = defineTask({
    name: 'capped',
    queue: 'work',
    input: z.object({}),
    output,
    retry: { backoff },
  });
  worker([
    handleTask(capped, (_payload, { retries }) => {
      if (retries === 0) throw new Error('not yet');
      return { retries };
    }),
  ]);
  expect(await client.call(capped, {})).toEqual({ retries: 1 });
});

test('retry_jitter=True', () => {
  const retry = {
    backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 600_000, jitter: 'full' },
  } as const;
  const spread = defineTask({ name: 'spread', queue: 'work', input, output, retry });
  expect(spread.retry.backoff).toMatchObject({ jitter: 'full' });
});

test('max_retries=3', async () => {
  const { client, worker } = await openJobs();
  worker([flakyHandler]);
  // The contract says `maxRetries: 2`; a call may say something else.
  const { id } = await client.enqueue(flaky, { failures: 9 }, { maxRetries: 3 });
  expect(await client.result(id)).toMatchObject({ state: 'FAILURE', retries: 3 });
});

test('self.request.retries', async () => {
  const { client, worker } = await openJobs();
  worker([
    handleTask(flaky, ({ failures }, context) => {
      if (context.retries < failures) throw new TaskError('again');
      return { retries: context.retries };
    }),
  ]);
  expect(await client.call(flaky, { failures: 2 })).toEqual({ retries: 2 });
});

test('task.delay(…)', async () => {
  const { client } = await openJobs();
  const { id } = await client.enqueue(contract, payload);
  expect(await client.status(id)).toMatchObject({ state: 'PENDING' });
});

test('apply_async(args, countdown=60)', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler]);
  const { id } = await client.enqueue(contract, payload, { delayMs: 60_000 });
  expect(await client.status(id)).toMatchObject({ state: 'SCHEDULED' });
});

test('apply_async(args, eta=…)', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler]);
  const eta = new Date(Date.now() + 700);
  const { id } = await client.enqueue(contract, payload, { eta: new Date(eta) });
  const record = await client.result(id);
  expect(Date.parse(record.started_at ?? '')).toBeGreaterThanOrEqual(eta.getTime());
});

test('apply_async(args, expires=…)', async () => {
  const { client, worker } = await openJobs();
  const { id } = await client.enqueue(contract, payload, { expires: new Date(Date.now() - 1) });
  worker([addHandler]);
  expect(await client.result(id)).toMatchObject({ state: 'EXPIRED' });
});

test('apply_async(args, priority=…)', async () => {
  const { client } = await openJobs();
  await client.enqueue(contract, payload, { priority: 'high' });
  expect(await client.queues()).toMatchObject([{ high: 1, normal: 0 }]);
});

test('apply_async(args, task_id=…)', async () => {
  const { client } = await openJobs();
  expect(await client.enqueue(contract, payload, { id: 'order-7' })).toMatchObject({ duplicate: false });
  expect(await client.enqueue(contract, payload, { id: 'order-7' })).toMatchObject({ duplicate: true });
});

test('result.revoke(terminate=True)', async () => {
  const { client, worker } = await openJobs();
  worker([
    handleTask(contract, async (_payload, { signal }) => {
      await delay(60_000, undefined, { signal });
      return { sum: 0 };
    }),
  ]);
  const { id } = await client.enqueue(contract, payload);
  await waitFor('its start', async () => (await client.status(id))?.state === 'STARTED');
  await client.revoke(id, { terminate: true });
  expect(await client.result(id)).toMatchObject({ state: 'REVOKED' });
});

test('AsyncResult(task_id)', async () => {
  const { client } = await openJobs();
  const { id } = await client.enqueue(contract, payload);
  expect(await client.status(id)).toMatchObject({ id });
  expect(await client.status('unknown')).toBeUndefined();
});

test('result.state', async () => {
  const { client, worker } = await openJobs();
  const { id } = await client.enqueue(contract, payload);
  expect(await client.status(id)).toMatchObject({ state: 'PENDING' });
  worker([addHandler]);
  const record = await client.result(id);
  expect(record.state).toBe('SUCCESS');
});

test('result.result', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler, flakyHandler]);
  const { id } = await client.enqueue(contract, payload);
  await client.result(id);
  const record = await client.status(id);
  expect(record?.result).toEqual({ sum: 3 });
  const { id: failed } = await client.enqueue(flaky, { failures: 1 }, { maxRetries: 0 });
  await client.result(failed);
  expect((await client.status(failed))?.error).toMatchObject({ type: 'TaskError', message: 'failure 1' });
});

test('result.ready()', async () => {
  const { client, worker } = await openJobs();
  const { id } = await client.enqueue(contract, payload);
  expect(await client.ready(id)).toBe(false);
  worker([addHandler]);
  await client.result(id);
  expect(await client.ready(id)).toBe(true);
  expect(await client.ready('nobody-knows-it')).toBeUndefined();
});

test('result.get()', async () => {
  const { client, worker } = await openJobs();
  worker([addHandler]);
  const { id } = await client.enqueue(contract, payload);
  const outcome = await client.result(contract, id);
  expect(outcome).toMatchObject({ state: 'SUCCESS', result: { sum: 3 } });
  expect(await client.resultOrThrow(contract, id)).toEqual({ sum: 3 });
});

test('return an error so that it is not retried', async () => {
  const { client, worker } = await openJobs();
  worker([
    handleTask(contract, () => {
      throw new TaskError('The order has no lines.', { retryable: false });
    }),
  ]);
  const { id } = await client.enqueue(contract, payload);
  expect(await client.result(id)).toMatchObject({ state: 'FAILURE', retries: 0 });
  expect(await client.deadLetters.get(id)).toMatchObject({ reason: 'not_retryable' });
});

test('self.retry(exc=e, countdown=60)', async () => {
  const { client, worker } = await openJobs();
  worker([
    handleTask(contract, (_payload, context) => {
      const error = new Error('connection reset');
      return context.retry({ delayMs: 60_000, cause: error });
    }),
  ]);
  const { id } = await client.enqueue(contract, payload);
  await waitFor('the wait', async () => (await client.status(id))?.state === 'RETRY');
  expect((await client.status(id))?.error?.message).toContain('connection reset');
});

test('log and raise', async () => {
  const { client, worker } = await openJobs();
  let log = '';
  worker([flakyHandler], { logger: pino({}, { write: (line: string) => void (log += line) }) });
  expect(await client.call(flaky, { failures: 1 })).toEqual({ retries: 1 });
  await waitFor('the line of the failure', () => log.includes('failure 1'));
});
