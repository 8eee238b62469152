/** Middleware around enqueues and attempts: its order, what it can change, and that its faults stay its own. */
import {
  createClient,
  defineTask,
  handleTask,
  loggingMiddleware,
  TaskError,
  type AttemptCall,
  type AttemptEnd,
  type JobsClient,
  type Middleware,
} from '@stratum/jobs';
import { runTask } from '@stratum/jobs/testing';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { add, addHandler, flaky, flakyHandler, openJobs, queueIsEmpty, type Jobs } from './fixture.js';

const odd = defineTask({
  name: 'odd',
  queue: 'work',
  input: z.object({}),
  output: z.object({ runs: z.int() }),
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 5 } },
  limits: { softTimeLimitMs: 300, timeLimitMs: 400 },
});

function clientWith(jobs: Jobs, ...middleware: Middleware[]): JobsClient {
  const client = createClient({ connection: jobs.connection, topology: jobs.topology, middleware });
  onTestFinished(() => client.close());
  return client;
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('the order', () => {
  test('is the one of the list, the first outermost, and each sees what the outer ones have changed', async () => {
    const jobs = await openJobs();
    const seen: string[] = [];
    const layer = (name: string, delayMs: number): Middleware => ({
      name,
      enqueue: async ({ options }, next) => {
        seen.push(`${name} stores after ${options.delayMs}`);
        await next({ delayMs });
        seen.push(`${name} has stored`);
      },
      attempt: async ({ payload }, next) => {
        seen.push(`${name} runs ${JSON.stringify(payload)}`);
        const { kind } = await next();
        seen.push(`${name} sees ${kind}`);
      },
    });
    const middleware = [layer('outer', 20), layer('inner', 30)];
    const client = clientWith(jobs, ...middleware);
    const { id } = await client.enqueue(add, { a: 1, b: 2 }, { delayMs: 10 });
    jobs.worker([addHandler], { middleware });
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { sum: 3 } });
    expect(seen).toEqual([
      'outer stores after 10',
      'inner stores after 20',
      'inner has stored',
      'outer has stored',
      'outer runs {"a":1,"b":2}',
      'inner runs {"a":1,"b":2}',
      'inner sees succeeded',
      'outer sees succeeded',
    ]);
  });

  test('holds for what a handler enqueues, for many at once and for tasks by name', async () => {
    const jobs = await openJobs();
    const enqueued: string[] = [];
    const middleware: Middleware[] = [
      {
        enqueue: ({ task, tenant }, next) => {
          enqueued.push(`${task} ${tenant}`);
          return next({ tenant: 9 });
        },
      },
    ];
    const client = clientWith(jobs, ...middleware);
    const parent = handleTask(odd, async (_, context) => {
      await context.enqueueMany(add, [{ payload: { a: 1, b: 1 } }, { payload: { a: 2, b: 2 } }]);
      return { runs: 1 };
    });
    jobs.worker([parent, addHandler], { middleware });
    const { id } = await client.publish('work', 'odd', {});
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', tenant: '9' });
    expect(enqueued).toEqual(['odd undefined', 'add undefined', 'add undefined']);
    await queueIsEmpty(client);
  });
});

test('an attempt tells how it is going to end, and its record once that is stored', async () => {
  const jobs = await openJobs();
  const ends: string[] = [];
  const settled: string[] = [];
  const middleware: Middleware[] = [
    {
      attempt: async ({ onSettled }, next) => {
        onSettled(({ state, retries }) => settled.push(`${state} ${retries}`));
        onSettled(() => {
          throw new Error('a listener that fails changes nothing');
        });
        const end = await next();
        ends.push(end.kind === 'dead' ? end.reason : end.kind);
      },
    },
  ];
  jobs.worker([flakyHandler], { middleware });
  const { id } = await jobs.client.enqueue(flaky, { failures: 9 });
  expect(await jobs.client.result(id)).toMatchObject({ state: 'FAILURE', retries: 2 });
  await waitFor('all three', () => settled.length === 3);
  expect(ends).toEqual(['retry', 'retry', 'max_retries']);
  // The next attempt may be over before the one that led to it is stored.
  expect(settled.toSorted()).toEqual(['FAILURE 2', 'RETRY 1', 'RETRY 2']);
});

interface AttemptCase {
  attempt: (call: AttemptCall, next: () => Promise<AttemptEnd>) => Promise<unknown>;
  /** How often the handler is called in all attempts. */
  runs: number;
  outcome: { state: 'SUCCESS' | 'FAILURE'; retries?: number };
  error?: string;
}

// oxlint-disable-next-line typescript/no-explicit-any, typescript/no-unsafe-type-assertion -- JavaScript passes functions of any type
const untyped = (value: unknown): any => value as any;

const ATTEMPTS: Readonly<Record<string, AttemptCase>> = {
  'throws before next': {
    attempt: async () => {
      throw new TaskError('no entry', { retryable: false });
    },
    runs: 0,
    outcome: { state: 'FAILURE', retries: 0 },
    error: 'no entry',
  },
  'throws at once, without a promise': {
    attempt: () => {
      throw new Error('at once');
    },
    runs: 0,
    outcome: { state: 'FAILURE', retries: 1 },
    error: 'at once',
  },
  'throws after next': {
    attempt: async (_, next) => {
      await next();
      throw new Error('afterwards');
    },
    runs: 2,
    outcome: { state: 'FAILURE', retries: 1 },
    error: 'afterwards',
  },
  'throws while the handler runs': {
    attempt: async (_, next) => {
      void next();
      throw new Error('meanwhile');
    },
    runs: 2,
    outcome: { state: 'FAILURE', retries: 1 },
    error: 'meanwhile',
  },
  'never calls next': {
    attempt: async () => undefined,
    runs: 0,
    outcome: { state: 'FAILURE', retries: 1 },
    error: 'Middleware "odd one" has ended without calling next()',
  },
  'calls next twice': {
    attempt: (_, next) => Promise.all([next(), next()]),
    runs: 2,
    outcome: { state: 'FAILURE', retries: 1 },
    error: 'Middleware "odd one" has called next() twice',
  },
  'calls next twice and awaits neither': {
    attempt: async (_, next) => {
      void next();
      void next();
    },
    runs: 1,
    outcome: { state: 'SUCCESS' },
  },
  'hangs before next': {
    attempt: never,
    runs: 0,
    outcome: { state: 'FAILURE', retries: 0 },
    error: 'ran longer than its time limit',
  },
  'hangs after next': {
    attempt: (_, next) => next().then(never),
    runs: 1,
    outcome: { state: 'FAILURE', retries: 0 },
    error: 'ran longer than its time limit',
  },
  'calls next after the time limit': {
    attempt: async ({ onSettled }, next) => {
      await new Promise(onSettled);
      await next();
    },
    runs: 0,
    outcome: { state: 'FAILURE', retries: 0 },
    error: 'ran longer than its time limit',
  },
  'returns no promise': {
    attempt: untyped((_: AttemptCall, next: () => Promise<AttemptEnd>) => void next()),
    runs: 1,
    outcome: { state: 'SUCCESS' },
  },
};

test.each(Object.entries(ATTEMPTS))(
  'a middleware of an attempt that %s harms nothing but its attempt',
  async (_, { attempt, runs, outcome, error }) => {
    const jobs = await openJobs();
    let handled = 0;
    const handler = handleTask(odd, () => ({ runs: ++handled }));
    const middleware: Middleware = {
      name: 'odd one',
      attempt: (call, next) => (call.contract === odd ? attempt(call, next) : next()),
    };
    const worker = jobs.worker([handler, addHandler], { middleware: [middleware], concurrency: 2 });
    const { id } = await jobs.client.enqueue(odd, {});
    expect(await jobs.client.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
    const record = await jobs.client.result(id);
    expect(record).toMatchObject(outcome);
    if (error !== undefined) expect(record.error?.message).toContain(error);
    expect(await jobs.client.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
    await waitFor('the end of all attempts', () => worker.runningCount === 0);
    expect(handled).toBe(runs);
  },
);

interface EnqueueCase {
  enqueue: NonNullable<Middleware['enqueue']>;
  isStored: boolean;
  error?: object;
}

const ENQUEUES: Readonly<Record<string, EnqueueCase>> = {
  'throws before next': {
    enqueue: async () => {
      throw new TaskError('over quota');
    },
    isStored: false,
    error: { code: 'task_failed', message: 'over quota' },
  },
  'throws after next': {
    enqueue: async (_, next) => {
      await next();
      throw new Error('afterwards');
    },
    isStored: true,
    error: {
      code: 'middleware_failed',
      details: { id: 'one', stored: true },
      cause: new Error('afterwards'),
    },
  },
  'never calls next': {
    enqueue: async () => undefined,
    isStored: false,
    error: { code: 'middleware_failed', details: { middleware: 'odd one' } },
  },
  'calls next twice': {
    enqueue: async (_, next) => {
      await next();
      await next({ tenant: 3 });
    },
    isStored: true,
    error: { code: 'middleware_failed', details: { id: 'one', stored: true } },
  },
  'changes an option to one that is refused': {
    enqueue: (_, next) => next({ tenant: 'a.b' }),
    isStored: false,
    error: { code: 'invalid_options' },
  },
  'awaits nothing': {
    enqueue: async (_, next) => {
      void next();
    },
    isStored: true,
  },
};

test.each(Object.entries(ENQUEUES))(
  'a middleware of an enqueue that %s harms nothing but its enqueue',
  async (_, { enqueue, isStored, error }) => {
    const jobs = await openJobs();
    const client = clientWith(jobs, {
      name: 'odd one',
      enqueue: (call, next) => (call.task === 'odd' ? enqueue(call, next) : next()),
    });
    const [own, neighbour] = await Promise.allSettled([
      client.enqueue(odd, {}, { id: 'one' }),
      client.enqueue(add, { a: 1, b: 2 }),
    ]);
    if (error === undefined) expect(own).toMatchObject({ value: { id: 'one', duplicate: false } });
    else expect(own).toMatchObject({ reason: error });
    expect(neighbour.status).toBe('fulfilled');
    const [queue] = await client.queues();
    expect(queue?.normal).toBe(isStored ? 2 : 1);
  },
);

test('an enqueue waits 30 s for its middleware, and stores nothing behind the back of its caller', async () => {
  const jobs = await openJobs();
  let late: (() => Promise<unknown>) | undefined;
  const client = clientWith(jobs, {
    enqueue: async (_, next) => {
      late = next;
      return never();
    },
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const enqueued = client.enqueue(add, { a: 1, b: 2 }, { id: 'one' }).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(30_000);
  vi.useRealTimers();
  expect(await enqueued).toMatchObject({ code: 'middleware_failed', details: { id: 'one', stored: false } });
  await expect(late?.()).rejects.toMatchObject({ code: 'middleware_failed' });
  expect(await client.status('one')).toBeUndefined();
});

test('logging writes a line for each enqueue, start and end, without the payload', async () => {
  const jobs = await openJobs();
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const client = clientWith(jobs, loggingMiddleware({ logger }));
  jobs.worker([addHandler], { logger, middleware: [loggingMiddleware()] });
  const { id } = await client.enqueue(add, { a: -7.125, b: 1, tenant_id: 7 });
  await client.result(id);
  const own = await waitFor('three lines', () => {
    const found = lines.filter((line) => line['id'] === id);
    return found.length === 3 && found;
  });
  const facts = { id, task: 'add', queue: 'work', tenant: '7' };
  expect(own).toMatchObject([
    { msg: 'task enqueued', ...facts, duplicate: false },
    { msg: 'attempt started', ...facts, deliveries: 1 },
    { msg: 'attempt ended', ...facts, state: 'SUCCESS' },
  ]);
  expect(JSON.stringify(own)).not.toContain('7.125');
});

test('runTask runs a task through middleware, without a broker', async () => {
  const states: string[] = [];
  const middleware: Middleware = {
    attempt: async (_, next) => {
      states.push((await next()).kind);
    },
  };
  const run = await runTask(flakyHandler, { failures: 1 }, { middleware: [middleware], untilDone: true });
  expect(run.outcome).toBe('succeeded');
  expect(states).toEqual(['retry', 'succeeded']);
});
