/** Durable steps: what a run remembers, and how it sleeps. */
import { defineTask, handleTask, type TaskContext, type TaskHandler } from '@stratum/jobs';
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

function cyclic(): object {
  const value: { own?: object } = {};
  value.own = value;
  return value;
}

/** Whoever touches it gets an error. */
function refusing(): object {
  const refuse = (): never => {
    throw new Error('not to be touched');
  };
  return new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse });
}

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

const refused = (context: TaskContext): Promise<unknown> =>
  context
    .step('refused', () => {
      throw new Error('refused');
    })
    .catch(() => undefined);

test.each<[string, (context: TaskContext, calls: string[]) => Promise<unknown>]>([
  [
    'catches its sleep',
    async (context, calls) => {
      await context.sleep(60_000).catch(() => calls.push('caught'));
      await context.step('after', () => void calls.push('after'));
    },
  ],
  [
    'has caught the error of a step, and then its sleep',
    async (context, calls) => {
      await refused(context);
      await context.sleep(60_000).catch(() => calls.push('caught'));
      return 'too early';
    },
  ],
  [
    'catches the error of a branch beside one that sleeps',
    async (context, calls) => {
      await context
        .all([() => refused(context), () => context.sleep(60_000)])
        .catch(() => calls.push('caught'));
      return 'too early';
    },
  ],
  [
    'does not wait for its sleep',
    async (context, calls) => {
      calls.push('caught');
      void context.sleep(60_000).catch(() => undefined);
      return 'too early';
    },
  ],
])('a handler that %s does not go on before the time', async (_, run) => {
  const calls: string[] = [];
  const end = await runTask(
    handle((context) => run(context, calls)),
    {},
  );
  expect(end).toMatchObject({ outcome: 'snoozed' });
  expect(end.delayMs).toBeGreaterThan(59_000);
  expect(calls).toEqual(['caught']);
});

test('a step that fails beside one that sleeps fails the attempt now, and not after the sleep', async () => {
  const end = await runTask(
    handle((context) =>
      context.all([
        () => context.sleep(60_000),
        () =>
          context.step('fails', () => {
            throw new Error('no');
          }),
      ]),
    ),
    {},
  );
  expect(end).toMatchObject({ outcome: 'retry', delayMs: 5 });
});

test.each<[string, unknown, unknown]>([
  ['a number that JSON has not', Number.NaN, null],
  ['a bigint', 12n, '12'],
  ['a function', function named() {}, '[function named]'],
  ['a map', new Map([[1, 2]]), {}],
  ['null', null, null],
  ['a date within a list', [new Date(0), undefined], ['1970-01-01T00:00:00.000Z', null]],
  ['a value that contains itself', cyclic(), { own: '[circular]' }],
  [
    'a field of a prototype',
    JSON.parse('{"__proto__":{"isAdmin":true}}'),
    JSON.parse('{"__proto__":{"isAdmin":true}}'),
  ],
  ['a lone surrogate', '\ud800', '\ud800'],
])(
  'a step that returns %s gives the same in the attempt that ran it and in the next',
  async (_, value, stored) => {
    const jobs = await openJobs();
    const seen: unknown[] = [];
    jobs.worker([
      handle(async (context) => {
        seen.push(
          await context.step('same', () => value),
          await context.step('same', () => 'the second of this name'),
        );
        if (context.retries === 0) throw new Error('once more');
      }),
    ]);
    const { id } = await jobs.client.enqueue(journey, {});
    expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', retries: 1 });
    expect(seen).toEqual([stored, 'the second of this name', stored, 'the second of this name']);
  },
);

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['a string', 'thrown'],
  ['an object without a prototype', Object.create(null)],
  ['a frozen error', Object.freeze(new Error('frozen'))],
  ['a proxy that refuses everything', refusing()],
])(
  'a step that throws %s beside a sleep fails its attempt, and the next one runs it again',
  async (_, thrown) => {
    const jobs = await openJobs();
    let calls = 0;
    jobs.worker([
      handle(async (context) => {
        const [, value] = await context.all([
          () => context.sleep(200),
          () =>
            context.step('odd', () => {
              if (++calls === 1) throw thrown;
              return calls;
            }),
        ]);
        return value;
      }),
    ]);
    const { id } = await jobs.client.enqueue(journey, {});
    expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', retries: 1, result: 2 });
  },
);

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
