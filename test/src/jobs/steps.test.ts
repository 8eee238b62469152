/** Durable steps: what a run remembers, how it sleeps, and what it says when its handler has changed meanwhile. */
import { defineTask, handleTask, StepsChangedError, type TaskContext, type TaskHandler } from '@stratum/jobs';
import { runTask } from '@stratum/jobs/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';

const journey = defineTask({
  name: 'journey',
  queue: 'work',
  input: z.object({ tenant_id: z.int().optional() }),
  output: z.unknown(),
  retry: { maxRetries: 2, backoff: { kind: 'fixed', delayMs: 5 } },
});

const handle = (run: (context: TaskContext) => Promise<unknown>): TaskHandler =>
  handleTask(journey, (_, context) => run(context));

/** Steps that are remembered in the broker. */
async function remembered({ connection, topology }: Jobs): Promise<number> {
  const reply = await connection.request(`$JS.API.STREAM.INFO.${topology.names.stepStream}`);
  const info: { state: { messages: number } } = reply.json();
  return info.state.messages;
}

/** The result is known a moment before the memory is gone. */
const forgotten = (jobs: Jobs): Promise<unknown> =>
  waitFor('the memory to be gone', async () => (await remembered(jobs)) === 0);

test('a step runs once, and its result is the same in every attempt', async () => {
  const jobs = await openJobs();
  const calls: string[] = [];
  const seen: unknown[] = [];
  jobs.worker([
    handle(async (context) => {
      const first = await context.step('first', () => {
        calls.push('first');
        return { at: new Date(0), none: undefined };
      });
      const nothing = await context.step('nothing', () => void calls.push('nothing'));
      seen.push([first, nothing]);
      if (context.retries < 2) throw new Error('not yet');
      return context.step('last', async () => calls.length);
    }),
  ]);
  const { id } = await jobs.client.enqueue(journey, {});
  expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', retries: 2, result: 2 });
  expect(calls).toEqual(['first', 'nothing']);
  const same = [{ at: '1970-01-01T00:00:00.000Z' }, undefined];
  expect(seen).toEqual([same, same, same]);
  await forgotten(jobs);
});

test('a step that fails runs again with its task, and those before it do not', async () => {
  const jobs = await openJobs();
  const calls: string[] = [];
  jobs.worker([
    handle(async (context) => {
      await context.step('before', () => void calls.push('before'));
      return context.step('unsteady', () => {
        calls.push('unsteady');
        if (calls.length < 4) throw new Error('once more');
        return 'done';
      });
    }),
  ]);
  const { id } = await jobs.client.enqueue(journey, {});
  expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: 'done' });
  expect(calls).toEqual(['before', 'unsteady', 'unsteady', 'unsteady']);
});

test('a sleep holds no slot, survives its worker, and spends no retry', async () => {
  const jobs = await openJobs();
  const times: number[] = [];
  const handler = handle(async (context) => {
    times.push(await context.step('before', () => Date.now()));
    await context.sleep(1_500);
    return context.step('after', () => Date.now());
  });
  const first = jobs.worker([handler]);
  const { id } = await jobs.client.enqueue(journey, {});
  await waitFor('the sleep', async () => (await jobs.client.status(id))?.state === 'SCHEDULED');
  expect(first.runningCount).toBe(0);
  await first.stop();
  jobs.worker([handler]);
  const record = await jobs.client.result(id);
  expect(record).toMatchObject({ state: 'SUCCESS', retries: 0, snoozes: 1 });
  expect(Number(record.result) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1_500);
  expect(times).toHaveLength(2);
});

test('a handler that catches its sleep does not go on before the time', async () => {
  const calls: string[] = [];
  const run = await runTask(
    handle(async (context) => {
      await context.sleep(60_000).catch(() => calls.push('caught'));
      await context.step('after', () => void calls.push('after'));
    }),
    {},
  );
  expect(run).toMatchObject({ outcome: 'snoozed' });
  expect(run.delayMs).toBeGreaterThan(59_000);
  expect(calls).toEqual(['caught']);
});

describe('a run that sleeps', () => {
  const sleeper = handle(async (context) => {
    await context.step('before', () => 'kept');
    await context.sleep(3_600_000);
  });

  test('can be revoked, and is forgotten', async () => {
    const jobs = await openJobs();
    jobs.worker([sleeper]);
    const { id } = await jobs.client.enqueue(journey, {});
    await waitFor('the sleep', async () => (await jobs.client.status(id))?.state === 'SCHEDULED');
    expect(await remembered(jobs)).toBe(2);
    expect(await jobs.client.revoke(id)).toBe('revoked');
    await forgotten(jobs);
  });

  test('is forgotten with its tenant, and not with another one', async () => {
    const jobs = await openJobs();
    jobs.worker([sleeper]);
    for (const tenant_id of [1, 2]) {
      const { id } = await jobs.client.enqueue(journey, { tenant_id });
      await waitFor('the sleep', async () => (await jobs.client.status(id))?.state === 'SCHEDULED');
    }
    const nobody = await jobs.client.erase({ tenant: '1', matches: () => false });
    expect(nobody.steps).toBe(0);
    expect(await jobs.client.erase({ tenant: '1' })).toMatchObject({ steps: 2, tasks: 1 });
    expect(await remembered(jobs)).toBe(2);
  });

  test('ends at its expiry', async () => {
    const jobs = await openJobs();
    jobs.worker([
      handle(async (context) => {
        await context.sleep(1_000);
        return 'too late';
      }),
    ]);
    const expires = new Date(Date.now() + 900);
    const { id } = await jobs.client.enqueue(journey, {}, { expires });
    expect(await jobs.client.result(id)).toMatchObject({ state: 'EXPIRED' });
    await forgotten(jobs);
  });
});

test('a result of which a part was erased fails its task instead of running its step again', async () => {
  const jobs = await openJobs();
  let calls = 0;
  jobs.worker([
    handle(async (context) => {
      await context.step('person', () => ({ email: `${++calls}@example.com` }));
      await context.sleep(1_500);
      return context.step('person again', () => 'not reached before the first is asked for');
    }),
  ]);
  const { id } = await jobs.client.enqueue(journey, { tenant_id: 1 });
  await waitFor('the sleep', async () => (await jobs.client.status(id))?.state === 'SCHEDULED');
  const matches = (body: Uint8Array): boolean => Buffer.from(body).includes('1@example.com');
  expect(await jobs.client.erase({ tenant: '1', matches })).toMatchObject({ steps: 1 });
  const record = await jobs.client.result(id);
  expect(record.error?.message).toContain('The result of step "person" was erased');
  expect(calls).toBe(1);
});

interface Change {
  before: (context: TaskContext) => Promise<unknown>;
  after: (context: TaskContext) => Promise<unknown>;
  problem: string;
}

const one = (context: TaskContext): Promise<unknown> => context.step('one', () => 1);
const two = (context: TaskContext): Promise<unknown> => context.step('two', () => 2);
const CHANGES: Readonly<Record<string, Change>> = {
  'a step has another name': {
    before: one,
    after: two,
    problem: 'step 0 was "one", and is now "two"',
  },
  'two steps have changed places': {
    before: (context) => one(context).then(() => two(context)),
    after: (context) => two(context).then(() => one(context)),
    problem: 'step 0 was "one", and is now "two"',
  },
  'a step is gone': {
    before: (context) => one(context).then(() => two(context)),
    after: one,
    problem: 'step 1 "two" has run, and the handler has ended without it',
  },
  'a step has become a sleep': {
    before: one,
    after: (context) => context.sleep(10),
    problem: 'step 0 was "one", and is now "sleep"',
  },
  'a branch has another step': {
    before: (context) => context.all([() => one(context), () => two(context)]),
    after: (context) => context.all([() => one(context), () => one(context)]),
    problem: 'step 0-1-0 was "two", and is now "one"',
  },
};

test.each(Object.entries(CHANGES))(
  'a handler in which %s fails the run with what does not fit, and a replay goes on',
  async (_, { before, after, problem }) => {
    const jobs = await openJobs();
    let hasRun = false;
    const first = jobs.worker(
      [
        handle(async (context) => {
          await before(context);
          hasRun = true;
          return new Promise(() => undefined);
        }),
      ],
      { shutdownGraceMs: 0 },
    );
    const { id } = await jobs.client.enqueue(journey, {});
    await waitFor('the first attempt', () => hasRun);
    await first.stop();
    const second = jobs.worker([handle(after)]);
    const record = await jobs.client.result(id);
    expect(record).toMatchObject({
      state: 'FAILURE',
      retries: 0,
      error: { type: StepsChangedError.name, retryable: false },
    });
    expect(record.error?.message).toContain(problem);
    await second.stop();
    jobs.worker([handle((context) => before(context).then(() => 'fits again'))]);
    const [letter] = await jobs.client.deadLetters.list();
    await jobs.client.deadLetters.replay(letter?.id ?? '');
    expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: 'fits again' });
    await forgotten(jobs);
  },
);

test.each<[string, (context: TaskContext) => Promise<unknown>, string]>([
  ['a result that is too large', (context) => context.step('big', () => 'x'.repeat(300_000)), 'larger than'],
  ['a step without a name', (context) => context.step('', () => 1), '1 to 100 characters'],
  [
    'a step within a step',
    (context) => context.step('outer', () => context.step('inner', () => 1)),
    'a step cannot contain another',
  ],
])('%s fails the task at once', async (_, run, message) => {
  const jobs = await openJobs();
  jobs.worker([handle(run)]);
  const { id } = await jobs.client.enqueue(journey, {});
  const record = await jobs.client.result(id);
  expect(record).toMatchObject({ state: 'FAILURE', retries: 0 });
  expect(record.error?.message).toContain(message);
});

describe('a step that another attempt has written meanwhile', () => {
  /** Two steps; what somebody writes in the place of the second comes before it. */
  async function overtaken(snoozes: number): Promise<{ jobs: Jobs; id: string; calls: string[] }> {
    const jobs = await openJobs({ ackWaitMs: 60_000 });
    const calls: string[] = [];
    let goOn: (() => void) | undefined;
    jobs.worker([
      handle(async (context) => {
        await context.step('one', () => void calls.push('one'));
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        return context.step('two', () => calls.push('two'));
      }),
    ]);
    const { id } = await jobs.client.enqueue(journey, {});
    const release = await waitFor('the first step', () => goOn);
    const key = jobs.topology.names.stepKey({ tenant: undefined, task: 'journey', id }, '1');
    const at = new Date().toISOString();
    const record = await jobs.client.status(id);
    const by = { enqueued_at: record?.enqueued_at, retries: 0, snoozes, delivery: 0, worker: 'another' };
    const entry = { kind: 'step', name: 'two', state: 'done', attempts: 1, started_at: at, result: 7, by };
    await jobs.connection.request(key, JSON.stringify(entry));
    release();
    return { jobs, id, calls };
  }

  test('is not run again: an earlier one has left its result', async () => {
    const { jobs, id, calls } = await overtaken(0);
    expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: 7 });
    expect(calls).toEqual(['one']);
  });

  test('ends the attempt without an outcome, if that one is later', async () => {
    const { jobs, id, calls } = await overtaken(1);
    await waitFor('the end of the attempt', async () => (await jobs.client.status(id))?.state === 'PENDING');
    expect(calls).toEqual(['one']);
    expect(await jobs.client.deadLetters.list()).toEqual([]);
  });
});

test('a run that has too many steps fails at once', async () => {
  const run = await runTask(
    handle(async (context) => {
      for (let step = 0; step <= 1_000; step++) await context.step(`step ${step}`, () => step);
    }),
    {},
  );
  expect(run).toMatchObject({ outcome: 'failed', reason: 'not_retryable' });
  expect(String(run.error)).toContain('more than 1000 steps');
});

test('another task with the id of one that failed begins anew', async () => {
  const jobs = await openJobs();
  const results: unknown[] = [];
  let round = 1;
  jobs.worker([
    handle(async (context) => {
      results.push(await context.step('round', () => round));
      if (round === 1) throw new Error('fails in the first round');
    }),
  ]);
  await jobs.client.enqueue(journey, {}, { id: 'same', maxRetries: 0, unique: true });
  expect(await jobs.client.result('same')).toMatchObject({ state: 'FAILURE' });
  round = 2;
  // Another name for the broker, whose memory of ids would refuse it.
  const subject = jobs.topology.names.taskSubject({
    queue: 'work',
    priority: 'normal',
    tenant: undefined,
    task: 'journey',
    id: 'same',
  });
  jobs.connection.publish(subject, '{}');
  await waitFor('the second round', () => results.length === 2);
  expect(results).toEqual([1, 2]);
});

type Plan =
  | { kind: 'step'; value: number; fails: boolean; waits: number }
  | { kind: 'sleep'; ms: number }
  | { kind: 'all'; branches: Plan[][] };

const { plans } = fc.letrec<{ plans: Plan[]; plan: Plan }>((tie) => ({
  plans: fc.array(tie('plan'), { maxLength: 4 }),
  plan: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({
      kind: fc.constant('step' as const),
      value: fc.integer(),
      fails: fc.boolean(),
      waits: fc.nat(3),
    }),
    fc.record({ kind: fc.constant('sleep' as const), ms: fc.integer({ min: 1, max: 100_000 }) }),
    fc.record({ kind: fc.constant('all' as const), branches: fc.array(tie('plans'), { maxLength: 3 }) }),
  ),
}));

/** Every step of the plan, in the order of its writing. */
const valuesOf = (plan: readonly Plan[]): number[] =>
  plan.flatMap((each) =>
    each.kind === 'step' ? [each.value] : each.kind === 'all' ? each.branches.flatMap(valuesOf) : [],
  );

test('any plan of steps, sleeps and branches ends with the results of its steps, each of which has succeeded once', async () => {
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const failed = new Set<Plan>();
      const succeeded: Plan[] = [];
      const follow = async (context: TaskContext, part: readonly Plan[]): Promise<number[]> => {
        const results: number[] = [];
        for (const each of part)
          if (each.kind === 'sleep') await context.sleep(each.ms);
          else if (each.kind === 'all') {
            const own = each.branches.map((branch) => () => follow(context, branch));
            results.push(...(await context.all(own)).flat());
          } else
            results.push(
              await context.step(`value ${each.value}`, async () => {
                for (let turn = 0; turn < each.waits; turn++) await new Promise(setImmediate);
                if (each.fails && !failed.has(each)) {
                  failed.add(each);
                  throw new Error('fails once');
                }
                succeeded.push(each);
                return each.value;
              }),
            );
        return results;
      };
      const run = await runTask(
        handle((context) => follow(context, plan)),
        {},
        { untilDone: true, maxRetries: 1_000 },
      );
      expect(run).toMatchObject({ outcome: 'succeeded', result: valuesOf(plan) });
      expect(succeeded).toHaveLength(valuesOf(plan).length);
      expect(new Set(succeeded).size).toBe(succeeded.length);
    }),
    { numRuns: 200 },
  );
});
