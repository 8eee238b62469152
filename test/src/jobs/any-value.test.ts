/** Whatever a handler throws, returns or reports, its task ends, and its record can be read. */
import { jetstreamManager } from '@nats-io/jetstream';
import {
  createReaper,
  defineTask,
  handleTask,
  isFinal,
  taskEventSchema,
  taskRecordSchema,
} from '@stratum/jobs';
import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { anyValue, hostileValues, type AnyValue } from './any-value.js';
import { openJobs, type Jobs } from './fixture.js';

const MAX_RETRIES = 1;
const odd = defineTask({
  name: 'odd',
  queue: 'work',
  input: z.object({ scenario: z.string() }),
  output: z.unknown(),
  retry: { maxRetries: MAX_RETRIES, backoff: { kind: 'fixed', delayMs: 5 } },
  limits: { softTimeLimitMs: 300, timeLimitMs: 500 },
});

const WAYS = ['throw', 'reject', 'return', 'progress', 'log', 'retry', 'never', 'late'] as const;

interface Scenario {
  way: (typeof WAYS)[number];
  value: AnyValue;
}

const scenarios = fc.record<Scenario>({ way: fc.constantFrom(...WAYS), value: anyValue });

/** One NaN is not the other's name: the reports of a task are of any type at run time. */
// oxlint-disable-next-line typescript/no-explicit-any, typescript/no-unsafe-type-assertion -- handlers in JavaScript pass what they like
const untyped = (value: unknown): any => value as any;

/** Runs each scenario as a task of its own, checks what is left of it, and returns their number. */
async function runAll(jobs: Jobs, all: readonly Scenario[]): Promise<number> {
  const { client } = jobs;
  const ids = await Promise.all(
    all.map(async (scenario, index) => {
      const key = `${registered.size}-${index}`;
      registered.set(key, scenario);
      const { id } = await client.enqueue(odd, { scenario: key });
      return { id, key, scenario };
    }),
  );
  await Promise.all(
    ids.map(async ({ id, key, scenario: { way, value } }) => {
      const what = `${way} ${value.name}`;
      const record = await client.result(id, { timeoutMs: 20_000 }).catch((error: unknown) => {
        throw new Error(`result() of "${what}"`, { cause: error });
      });
      expect(taskRecordSchema.safeParse(record).error, what).toBeUndefined();
      // As text: comparing deeply nested values takes vitest for ever.
      expect(JSON.stringify(await client.status(id)), what).toBe(JSON.stringify(record));
      expect(isFinal(record.state), what).toBe(true);
      if (way === 'progress' || way === 'log') expect(record.state, what).toBe('SUCCESS');
      const most = record.error === null || record.error.type === 'TimeLimitExceeded' ? 1 : 1 + MAX_RETRIES;
      expect(runs.get(key), what).toBeLessThanOrEqual(most);
      if (way === 'throw' || way === 'retry') expect(runs.get(key), what).toBe(attemptsOf(value));
      if (record.state === 'FAILURE') {
        expect(record.error, what).toMatchObject({
          type: expect.any(String),
          message: expect.any(String),
        });
        expect(await client.deadLetters.get(id), what).toMatchObject({ id });
      }
    }),
  );
  return ids.length;
}

const registered = new Map<string, Scenario>();
const runs = new Map<string, number>();

/** What says of itself that it must not be retried runs once. */
function attemptsOf(value: AnyValue): number {
  try {
    const made = value.make();
    if (typeof made === 'object' && made !== null && 'retryable' in made && made.retryable === false)
      return 1;
  } catch {
    // It says nothing that anybody could read.
  }
  return 1 + MAX_RETRIES;
}

const handler = handleTask(odd, async ({ scenario: key }, context) => {
  runs.set(key, (runs.get(key) ?? 0) + 1);
  const scenario = registered.get(key);
  if (scenario === undefined) return null;
  const value = scenario.value.make();
  switch (scenario.way) {
    case 'throw':
      throw value;
    case 'reject':
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- that is the point
      return Promise.reject(value);
    case 'return':
      return value;
    case 'progress':
      context.progress(untyped(value), untyped(value), untyped(value));
      return 'reported';
    case 'log':
      context.logger.info(untyped(value), untyped(value));
      context.logger.error({ err: value, value }, untyped(value));
      context.logger.child({ value }).warn(untyped(value));
      return 'logged';
    case 'retry':
      return context.retry({ delayMs: 5, cause: value });
    case 'never':
      return new Promise(() => undefined);
    case 'late':
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- that is the point
      return new Promise((_, reject) => setTimeout(() => reject(value), 700));
  }
});

async function start(): Promise<Jobs> {
  const jobs = await openJobs({ ackWaitMs: 2_000, maxDeliver: 3 });
  const { connection, topology } = jobs;
  jobs.worker([handler], {
    concurrency: 64,
    logger: pino({ level: 'trace' }, { write: () => undefined }),
  });
  const reaper = createReaper({ connection, topology, logger: pino({ level: 'silent' }) });
  reaper.start();
  onTestFinished(() => reaper.stop());
  return jobs;
}

/** Nothing waits, runs or comes again, and whoever reads lists and events can read all of it. */
async function expectQuiet({ client, connection, topology }: Jobs): Promise<void> {
  await waitFor('an empty queue', async () => {
    const [queue] = await client.queues();
    return queue?.running === 0 && queue.delayed === 0 && queue.normal === 0;
  });
  const letters = await client.deadLetters.list({ limit: 10_000 });
  expect(JSON.stringify(letters)).toContain('error');
  const manager = await jetstreamManager(connection);
  const { names } = topology;
  const { state } = await manager.streams.info(names.eventStream);
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const event = await manager.streams.getMessage(names.eventStream, { seq });
    expect(taskEventSchema.safeParse(event?.json()).error).toBeUndefined();
  }
}

describe('whatever a handler does', () => {
  test.each(WAYS.filter((way) => way !== 'never'))(
    '%s of every hostile value ends in a record',
    async (way) => {
      const jobs = await start();
      const all = hostileValues.map((value) => ({ way, value }));
      expect(await runAll(jobs, all)).toBe(all.length);
      if (way === 'throw') await expectQuiet(jobs);
    },
  );

  test('with whatever value, its task ends, and its record, letter and events can be read', async () => {
    const jobs = await start();
    await fc.assert(
      fc.asyncProperty(fc.array(scenarios, { minLength: 20, maxLength: 40 }), async (all) => {
        expect(await runAll(jobs, all)).toBe(all.length);
      }),
      { numRuns: 8 },
    );
    await expectQuiet(jobs);
  });
});
