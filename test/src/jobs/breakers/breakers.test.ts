/** Circuit breakers: a service that is away costs its tasks no slot and no retry, and hinders nobody else. */
import { defineTask, handleTask, TaskError, type BreakerOptions, type TaskHandler } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { add, addHandler, openJobs, queueIsEmpty, type Jobs } from '../fixture.js';

const input = z.object({ platform: z.string(), n: z.int() });

const visitWith = (options: Partial<BreakerOptions<z.output<typeof input>>> = {}) =>
  defineTask({
    name: 'visit',
    queue: 'work',
    input,
    output: z.object({ retries: z.int(), snoozes: z.int().optional() }),
    retry: { maxRetries: 8, backoff: { kind: 'fixed', delayMs: 20 } },
    breaker: {
      service: 'ads',
      key: 'payload.platform',
      failures: 3,
      windowMs: 10_000,
      pauseMs: 300,
      ...options,
    },
  });
const visit = visitWith();

interface Service {
  handler: TaskHandler;
  /** By platform: whether it is away, and how often it was called, and by whom. */
  away: Set<string>;
  calls: Map<string, number[]>;
}

const fault = (): Error => Object.assign(new Error('HTTP 503'), { status: 503 });

function service(contract = visit): Service {
  const away = new Set<string>();
  const calls = new Map<string, number[]>();
  const handler = handleTask(contract, ({ platform, n }, { retries }) => {
    calls.set(platform, [...(calls.get(platform) ?? []), n]);
    if (away.has(platform)) throw fault();
    return { retries };
  });
  return { handler, away, calls };
}

const tasksOf = (platform: string, count: number): { payload: { platform: string; n: number } }[] =>
  Array.from({ length: count }, (_, n) => ({ payload: { platform, n } }));

const circuitOf = async ({ client }: Jobs, key = 'meta') =>
  (await client.control.circuits()).find((circuit) => circuit.key === key);

async function allWait(jobs: Jobs, waiting: number): Promise<void> {
  await waitFor('the tasks to wait', async () => {
    const [queue] = await jobs.client.queues();
    const circuit = await circuitOf(jobs);
    return queue?.delayed === waiting && queue.running === 0 && circuit?.waiting === waiting;
  });
}

test('a service that is away costs three attempts; then all wait without a slot, and run once it is back', async () => {
  const contract = visitWith({ pauseMs: 1_000 });
  const jobs = await openJobs();
  const { client, worker } = jobs;
  const { handler, away, calls } = service(contract);
  away.add('meta');
  for (let workers = 0; workers < 2; workers++) worker([handler, addHandler], { concurrency: 2 });
  const tasks = await client.enqueueMany(contract, tasksOf('meta', 20));
  await waitFor('the circuit to open', async () => (await circuitOf(jobs))?.opened_at !== null);
  await allWait(jobs, 20);
  const { id: free } = await client.enqueue(add, { a: 1, b: 1 });
  expect(await client.result(free)).toMatchObject({ state: 'SUCCESS' });
  const { id: other } = await client.enqueue(contract, { platform: 'google', n: 0 });
  expect(await client.result(other)).toMatchObject({ state: 'SUCCESS', result: { retries: 0 } });
  away.clear();
  const records = await Promise.all(tasks.map(({ id }) => client.result(contract, id)));
  expect(records.every(({ state }) => state === 'SUCCESS')).toBe(true);
  // Two retries before the circuit opened; whoever opened it, or was under way, has spent none.
  const spent = records.reduce((sum, { retries }) => sum + retries, 0);
  expect(spent).toBe(2);
  expect(calls.get('google')).toEqual([0]);
  await queueIsEmpty(client);
  await waitFor('the circuit to be closed', async () => (await circuitOf(jobs))?.state === 'closed');
});

test('a task without retries that opens a circuit is no dead letter, and neither is one that tries in vain', async () => {
  const once = defineTask({
    name: 'visit_once',
    queue: 'work',
    input,
    output: z.null(),
    retry: 'never',
    breaker: { service: 'ads', failures: 1, pauseMs: 200, longestPauseMs: 400 },
  });
  const jobs = await openJobs();
  let attempts = 0;
  jobs.worker([
    handleTask(once, () => {
      if (++attempts < 5) throw fault();
      return null;
    }),
  ]);
  const { id } = await jobs.client.enqueue(once, { platform: 'meta', n: 0 });
  for await (const record of jobs.client.watch(id))
    if (record.state === 'SCHEDULED')
      expect(record).toMatchObject({ retries: 0, error: { message: 'HTTP 503' } });
  expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', retries: 0 });
  expect(attempts).toBe(5);
});

test('those who wait can be revoked, and expire', async () => {
  const jobs = await openJobs();
  const { client, worker } = jobs;
  const { handler, calls } = service();
  await client.control.openCircuit('ads', { key: 'meta' });
  worker([handler]);
  const expires = new Date(Date.now() + 1_500);
  const revoked = await client.enqueue(visit, { platform: 'meta', n: 0 });
  const expired = await client.enqueue(visit, { platform: 'meta', n: 1 }, { expires });
  await allWait(jobs, 2);
  await client.revoke(revoked.id);
  expect(await client.result(revoked.id)).toMatchObject({ state: 'REVOKED' });
  expect(await client.result(expired.id)).toMatchObject({ state: 'EXPIRED' });
  expect(calls.size).toBe(0);
});

test('an operator opens a circuit for as long as he likes, and those who wait are then woken a few at a time', async () => {
  const contract = visitWith({ pauseMs: 100 });
  const jobs = await openJobs();
  const { client, worker } = jobs;
  const startedAt: number[] = [];
  await client.control.openCircuit('ads', { key: 'meta' });
  worker(
    [
      handleTask(contract, (_, { retries }) => {
        startedAt.push(performance.now());
        return { retries };
      }),
    ],
    { concurrency: 50 },
  );
  const tasks = await client.enqueueMany(contract, tasksOf('meta', 40));
  await allWait(jobs, 40);
  expect(await circuitOf(jobs)).toMatchObject({ service: 'ads', state: 'held', retry_at: null, failures: 0 });
  const closedAt = performance.now();
  await client.control.closeCircuit('ads', { key: 'meta' });
  await Promise.all(tasks.map(({ id }) => client.result(id)));
  // Five, ten, twenty and the rest, a second apart: a slow machine can only be later.
  for (const [before, atLeast] of [
    [5, 900],
    [15, 1_800],
    [35, 2_700],
  ] as const)
    expect((startedAt[before] ?? 0) - closedAt, `after ${before}`).toBeGreaterThanOrEqual(atLeast);
  expect(await queueIsEmpty(client)).toBeUndefined();
});

test('the pause doubles with each try that fails, up to its bound, and begins anew after the service did well', async () => {
  const contract = visitWith({ failures: 1, pauseMs: 400, longestPauseMs: 1_600, windowMs: 500 });
  const jobs = await openJobs();
  const { client, worker } = jobs;
  const calledAt: number[] = [];
  let isAway = true;
  worker([
    handleTask(contract, (_, { retries }) => {
      calledAt.push(performance.now());
      if (isAway) throw fault();
      return { retries };
    }),
  ]);
  const first = await client.enqueue(contract, { platform: 'meta', n: 0 });
  await waitFor('five attempts', () => calledAt.length === 5);
  isAway = false;
  expect(await client.result(contract, first.id)).toMatchObject({ state: 'SUCCESS', retries: 0 });
  const pauses = calledAt.slice(1).map((at, index) => at - (calledAt[index] ?? 0));
  for (const [index, atLeast] of [400, 800, 1_600, 1_600].entries()) {
    expect(pauses[index]).toBeGreaterThanOrEqual(atLeast - 20);
    // The broker and the worker that calls take a while.
    expect(pauses[index]).toBeLessThan(atLeast + 1_500);
  }
});

test('a task that fails whenever it tries the service lets others try', async () => {
  const contract = visitWith({ failures: 2, pauseMs: 200, longestPauseMs: 200 });
  const jobs = await openJobs();
  const { client, worker } = jobs;
  let isAway = true;
  worker(
    [
      handleTask(contract, ({ n }, { retries }) => {
        if (isAway || n === 0) throw fault();
        return { retries };
      }),
    ],
    { concurrency: 1 },
  );
  const [, ...others] = await client.enqueueMany(contract, tasksOf('meta', 6));
  await allWait(jobs, 6);
  isAway = false;
  for (const { id } of others) expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
});

test.each<[string, () => unknown, Partial<BreakerOptions<z.output<typeof input>>>]>([
  ['a failure of its own', () => new TaskError('a bug'), {}],
  ['a refusal', () => Object.assign(new Error('HTTP 400'), { status: 400 }), {}],
  ['a limit of its caller', () => Object.assign(new Error('HTTP 429'), { status: 429 }), {}],
  [
    'an error that advises against a retry',
    () => new TaskError('no', { cause: fault(), retryable: false }),
    {},
  ],
  ['what isFailure denies', fault, { isFailure: () => false }],
  [
    'isFailure that throws',
    fault,
    {
      isFailure: () => {
        throw new Error('no answer');
      },
    },
  ],
  ['no key', fault, { key: () => undefined }],
])('%s opens nothing', async (_title, error, options) => {
  const contract = visitWith({ failures: 1, ...options });
  const jobs = await openJobs();
  jobs.worker([
    handleTask(contract, () => {
      throw error();
    }),
  ]);
  const { id } = await jobs.client.enqueue(contract, { platform: 'meta', n: 0 }, { maxRetries: 2 });
  expect(await jobs.client.result(id)).toMatchObject({ state: 'FAILURE' });
  expect(await jobs.client.control.circuits()).toEqual([]);
});

test.each<[string, () => unknown]>([
  ['a status', fault],
  ['a status of an answer', () => Object.assign(new Error('no'), { response: { status: 502 } })],
  [
    'a broken connection',
    () => new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNRESET' }) }),
  ],
  ['no answer in time', () => new DOMException('The operation timed out.', 'TimeoutError')],
  ['a word of the error', () => Object.assign(new Error('away'), { unreachable: true })],
  ['an error that asks for a retry', () => new TaskError('later', { cause: fault(), retryAfterMs: 10 })],
])('%s opens a circuit', async (_title, error) => {
  const contract = visitWith({ failures: 1, pauseMs: 60_000 });
  const jobs = await openJobs();
  jobs.worker([
    handleTask(contract, () => {
      throw error();
    }),
  ]);
  await jobs.client.enqueue(contract, { platform: 'meta', n: 0 });
  await allWait(jobs, 1);
  expect(await circuitOf(jobs)).toMatchObject({ state: 'open', failures: 1 });
});

test('some failures among many successes open nothing, and a task that asks for a retry counts by its cause', async () => {
  const contract = visitWith({ failures: 3 });
  const jobs = await openJobs();
  const { client, worker } = jobs;
  worker(
    [
      handleTask(contract, ({ n }, context) => {
        const { retries } = context;
        if (n % 4 === 0 && retries === 0) context.retry({ delayMs: 10, cause: fault() });
        return { retries };
      }),
    ],
    { concurrency: 1 },
  );
  const tasks = await client.enqueueMany(contract, tasksOf('meta', 40));
  const records = await Promise.all(tasks.map(({ id }) => client.result(contract, id)));
  expect(records.reduce((sum, { retries }) => sum + retries, 0)).toBe(10);
  expect(await circuitOf(jobs)).toMatchObject({ state: 'closed' });
});

test('whoever has waited for longer than its policy allows spends retries, and in the end fails', async () => {
  const impatient = defineTask({
    name: 'impatient',
    queue: 'work',
    input,
    output: z.null(),
    retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 10 }, unreachableForMs: 1 },
    breaker: { service: 'ads', failures: 1, pauseMs: 100, longestPauseMs: 100 },
  });
  const jobs = await openJobs();
  jobs.worker([
    handleTask(impatient, () => {
      throw fault();
    }),
  ]);
  const { id } = await jobs.client.enqueue(impatient, { platform: 'meta', n: 0 });
  expect(await jobs.client.result(id)).toMatchObject({ state: 'FAILURE', retries: 1 });
});
