/** Code of the package's users that fails: the task that it belongs to ends, and no other task notices. */
import {
  createWorker,
  defineTask,
  handleTask,
  TaskError,
  type JobsClient,
  type TaskHandler,
  type WorkerOptions,
} from '@stratum/jobs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, waitFor } from '../harness/index.js';
import { add, addHandler, openJobs } from './fixture.js';

const fail = (): never => {
  throw new Error('the callback fails');
};
const failLater = async (): Promise<never> => fail();
const never = (): Promise<never> => new Promise(() => undefined);
const limits = { softTimeLimitMs: 200, timeLimitMs: 400 };
const NAME = { name: 'odd', queue: 'work' } as const;
const input = z.object({});
const output = z.unknown();
const retry = { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 5 } } as const;
const broken = (): never => {
  throw new TaskError('the task fails');
};
// oxlint-disable-next-line typescript/no-explicit-any, typescript/no-unsafe-type-assertion -- JavaScript passes functions of any type
const untyped = (value: unknown): any => value as any;

interface Case {
  handler?: TaskHandler;
  worker?: Partial<WorkerOptions>;
  state: 'SUCCESS' | 'FAILURE';
  retries?: number;
  error?: string;
}

const plain = handleTask(defineTask({ ...NAME, input, output, retry }), () => null);
const failing = (options: Partial<Parameters<typeof defineTask>[0]>): TaskHandler =>
  handleTask(defineTask({ ...NAME, input, output, ...options }), broken);
const throwing = {
  trace: fail,
  debug: fail,
  info: fail,
  warn: fail,
  error: fail,
  fatal: fail,
  level: 'info',
  child: fail,
};

const CASES: Readonly<Record<string, Case>> = {
  'retryOn throws': {
    handler: failing({ retry: { ...retry, retryOn: fail } }),
    state: 'FAILURE',
    retries: 1,
    error: 'the task fails',
  },
  'neverOn throws': {
    handler: failing({ retry: { ...retry, neverOn: fail } }),
    state: 'FAILURE',
    retries: 1,
    error: 'the task fails',
  },
  'retryOn is asynchronous and says no': {
    handler: failing({ retry: { ...retry, retryOn: untyped(async () => false) } }),
    state: 'FAILURE',
    retries: 0,
    error: 'the task fails',
  },
  'retryOn is asynchronous and rejects': {
    handler: failing({ retry: { ...retry, retryOn: untyped(failLater) } }),
    state: 'FAILURE',
    retries: 1,
    error: 'the task fails',
  },
  'retryOn never settles': {
    handler: failing({ limits, retry: { ...retry, retryOn: untyped(never) } }),
    state: 'FAILURE',
    error: 'time limit',
  },
  'retryOn of a handler with steps never settles': {
    handler: handleTask(
      defineTask({ ...NAME, input, output, limits, retry: { ...retry, retryOn: untyped(never) } }),
      (_, context) => context.step('one', broken),
    ),
    state: 'FAILURE',
    error: 'time limit',
  },
  'a refinement of the output never settles': {
    handler: handleTask(defineTask({ ...NAME, input, output: z.unknown().refine(never), limits }), () => 1),
    state: 'FAILURE',
    error: 'time limit',
  },
  'a refinement of the output never settles, inside middleware': {
    handler: handleTask(defineTask({ ...NAME, input, output: z.unknown().refine(never), limits }), () => 1),
    worker: { middleware: [{ attempt: (_, next) => next() }] },
    state: 'FAILURE',
    error: 'time limit',
  },
  'a refinement of the output throws': {
    handler: handleTask(defineTask({ ...NAME, input, output: z.unknown().refine(fail), retry }), () => 1),
    state: 'FAILURE',
    error: 'the callback fails',
  },
  'a refinement of the output is asynchronous': {
    handler: handleTask(
      defineTask({ ...NAME, input, output: z.number().refine(async (value) => value > 0), retry }),
      () => 1,
    ),
    state: 'SUCCESS',
  },
  'an asynchronous refinement of the output refuses': {
    handler: handleTask(
      defineTask({ ...NAME, input, output: z.number().refine(async (value) => value < 0, 'above 0'), retry }),
      () => 1,
    ),
    state: 'FAILURE',
    error: 'above 0',
  },
  'a refinement of the input throws': {
    handler: handleTask(defineTask({ ...NAME, input: input.refine(fail), output, retry }), () => 1),
    state: 'FAILURE',
    error: 'the callback fails',
  },
  'a refinement of the input is asynchronous': {
    handler: handleTask(
      defineTask({ ...NAME, input: input.refine(async () => true), output, retry }),
      () => 1,
    ),
    state: 'FAILURE',
    error: 'a refinement or transform of the input schema failed',
  },
  'the tenant of a payload throws': {
    handler: handleTask(defineTask({ ...NAME, input, output, retry, tenant: fail }), () => 1),
    state: 'FAILURE',
    error: 'the callback fails',
  },
  'a prepared attempt throws at once': {
    handler: { contract: plain.contract, prepare: () => fail },
    state: 'FAILURE',
    retries: 1,
    error: 'the callback fails',
  },
  'a prepared attempt returns no promise': {
    handler: { contract: plain.contract, prepare: () => untyped(() => 'at once') },
    state: 'SUCCESS',
  },
  'the tracer throws': { worker: { tracer: { startSpan: fail } }, state: 'SUCCESS' },
  'the span throws': {
    worker: { tracer: { startSpan: () => ({ spanContext: fail, end: fail }) } },
    state: 'SUCCESS',
  },
  'the recorder of metrics throws': {
    worker: {
      metrics: { started: fail, finished: fail, deadLettered: fail, ticks: fail, confirmed: fail },
    },
    state: 'SUCCESS',
  },
  'the recorder of metrics rejects': {
    worker: {
      metrics: {
        started: untyped(failLater),
        finished: untyped(failLater),
        deadLettered: untyped(failLater),
        ticks: untyped(failLater),
        confirmed: untyped(failLater),
      },
    },
    state: 'SUCCESS',
  },
  'the logger throws': {
    handler: failing({ retry }),
    worker: { logger: throwing },
    state: 'FAILURE',
    retries: 1,
    error: 'the task fails',
  },
  'close throws': { handler: { ...plain, close: fail }, state: 'SUCCESS' },
  'close rejects': { handler: { ...plain, close: failLater }, state: 'SUCCESS' },
};

async function expectNeighbour(client: JobsClient): Promise<void> {
  expect(await client.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
}

describe('of the code that a user writes', () => {
  test.each(Object.entries(CASES))(
    '%s',
    async (_, { handler = plain, worker, state, retries = 0, error }) => {
      const { client, worker: start } = await openJobs();
      const running = start([addHandler, handler], worker);
      const neighbour = expectNeighbour(client);
      // The client with the contract would refuse some of the payloads itself.
      const { id } = await client.publish('work', 'odd', {}, { tenant: 1 });
      const record = await client.result(id);
      expect(record).toMatchObject({ state, retries });
      if (error !== undefined) expect(record.error?.message).toContain(error);
      await neighbour;
      await expectNeighbour(client);
      await waitFor('the end of all attempts', () => running.runningCount === 0);
      await running.stop();
    },
  );

  test('what is called after a shutdown that was asked for may throw', async () => {
    const { client, connection, topology } = await openJobs();
    let calls = 0;
    const worker = createWorker({
      connection,
      topology,
      queues: ['work'],
      handlers: [addHandler],
      onShutdownRequest: () => {
        calls++;
        fail();
      },
    });
    onTestFinished(() => worker.stop());
    worker.start();
    await expectNeighbour(client);
    await client.control.shutdown({ worker: worker.name });
    await waitFor('the callback', () => calls > 0);
    expect(calls).toBe(1);
  });
});

test('errors that a handler leaves behind are logged, and end neither the process nor another task', async () => {
  const { client, natsUrl, topology } = await openJobs();
  const program = spawnProgram('test/src/jobs/stray-errors-worker.mjs', {
    NATS_URL: natsUrl,
    PREFIX: topology.names.prefix,
  });
  await program.ready();
  for (const way of [
    'a promise that nobody awaits',
    'a promise that rejects later',
    'a callback of a timer',
    'a listener of the signal',
    'an asynchronous predicate',
    'a cause that cannot be read',
  ]) {
    const { id } = await client.publish('work', 'stray', { way });
    const { state } = await client.result(id);
    expect(state).toBe(way === 'an asynchronous predicate' ? 'FAILURE' : 'SUCCESS');
  }
  const last = await client.publish('work', 'stray', { way: 'none' });
  expect(await client.result(last.id)).toMatchObject({ state: 'SUCCESS', retries: 0 });
  await waitFor('the log', () => program.output().includes('a callback of a timer, listener or stream'));
  expect(program.output()).toContain('a promise was rejected that no handler awaits');
  expect(program.hasEnded()).toBe(false);
});
