/** Runs that call tasks: each is enqueued once, and its result or its failure comes back, whoever dies meanwhile. */
import { defineTask, handleTask, TaskError, TaskFailedError, type TaskHandler } from '@stratum/jobs';
import { runTask } from '@stratum/jobs/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { openJobs, type Jobs } from '../fixture.js';
import { handle, journey, waiting } from './fixture.js';

const double = defineTask({
  name: 'double',
  queue: 'work',
  input: z.object({ n: z.int(), tenant_id: z.int().optional() }),
  output: z.object({ n: z.int() }),
  retry: 'never',
});
const doubleHandler = handleTask(double, ({ n }) => ({ n: n * 2 }));

/** Fails for as long as it is told to. */
const refusing = (refuses: () => boolean): TaskHandler =>
  handleTask(double, ({ n }) => {
    if (refuses()) throw new TaskError('The platform refuses it.');
    return { n: n * 2 };
  });

/** The ids of the tasks that a run waits for, in the order of its steps. */
async function calledBy({ connection, topology: { names } }: Jobs, id: string): Promise<string[]> {
  const reply = await connection.request(
    `$JS.API.STREAM.INFO.${names.stepStream}`,
    JSON.stringify({ subjects_filter: names.stepKey({ tenant: undefined, task: 'journey', id }, '*') }),
  );
  const info: { state: { subjects?: Record<string, number> } } = reply.json();
  const keys = Object.keys(info.state.subjects ?? {}).toSorted();
  const entries = await Promise.all(
    keys.map(async (key) => {
      const stored = await connection.request(
        `$JS.API.DIRECT.GET.${names.stepStream}`,
        JSON.stringify({ last_by_subj: key }),
      );
      return stored.json<{ called?: { id: string } }>().called?.id ?? [];
    }),
  );
  return entries.flat();
}

test('a run gets the results of the tasks that it calls, one after the other and side by side, with one slot for all', async () => {
  const jobs = await openJobs();
  jobs.worker(
    [
      doubleHandler,
      handle(async (context) => {
        const { n } = await context.call(double, { n: 1 });
        const ends = await context.all([
          () => context.call(double, { n: n + 1 }),
          () => context.call(double, { n: n + 2 }),
        ]);
        return ends.map((end) => end.n);
      }),
    ],
    { concurrency: 1 },
  );
  const { id } = await jobs.client.enqueue(journey, {});
  const { waits_for: waitsFor } = await waiting(jobs, id);
  expect(waitsFor).toMatchObject({ kind: 'task', name: 'double', until: null, others: 0 });
  expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: [6, 8], retries: 0 });
  const child = await jobs.client.status(waitsFor?.id ?? '');
  expect(child).toMatchObject({ task: 'double', parent_id: id, root_id: id, state: 'SUCCESS' });
});

test('a called task that fails throws its failure into the run, which may go on, and fails for good otherwise', async () => {
  const jobs = await openJobs();
  jobs.worker([
    refusing(() => true),
    handle(async (context) => {
      const caught = await context.call(double, { n: 1 }).catch((error: unknown) => error);
      if (!(caught instanceof TaskFailedError)) throw new Error('It has not failed.');
      await context.step('after', () => `${caught.record.state}: ${caught.record.error?.message}`);
      return context.call(double, { n: 2 });
    }),
  ]);
  const { id } = await jobs.client.enqueue(journey, {});
  const record = await jobs.client.result(id);
  expect(record).toMatchObject({ state: 'FAILURE', retries: 0, error: { type: 'TaskFailedError' } });
  expect(record.error?.message).toContain('The platform refuses it.');
});

test('a run that is replayed calls once more what had failed, and not what had succeeded', async () => {
  const jobs = await openJobs();
  const calls: number[] = [];
  let refuses = true;
  jobs.worker([
    handleTask(double, ({ n }) => {
      calls.push(n);
      if (n === 2 && refuses) throw new TaskError('The platform refuses it.');
      return { n: n * 2 };
    }),
    handle(async (context) => [await context.call(double, { n: 1 }), await context.call(double, { n: 2 })]),
  ]);
  const { id } = await jobs.client.enqueue(journey, {});
  expect(await jobs.client.result(id)).toMatchObject({ state: 'FAILURE' });
  refuses = false;
  const letters = await jobs.client.deadLetters.list();
  await jobs.client.deadLetters.replay(letters.find(({ task }) => task === 'journey')?.id ?? '');
  expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: [{ n: 2 }, { n: 4 }] });
  expect(calls).toEqual([1, 2, 2]);
});

test('a task is called once, although the run begins anew before it waits', async () => {
  const jobs = await openJobs();
  let begun = 0;
  const calls: number[] = [];
  jobs.worker([
    handleTask(double, ({ n }) => {
      calls.push(n);
      return { n: n * 2 };
    }),
    handle(async (context) => {
      const ends = await context.all([
        () => context.call(double, { n: 1 }),
        () =>
          context.step('unsteady', () => {
            if (++begun < 3) throw new Error('once more');
          }),
      ]);
      return ends[0];
    }),
  ]);
  const { id } = await jobs.client.enqueue(journey, {});
  expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', retries: 2, result: { n: 2 } });
  expect(calls).toEqual([1]);
});

describe('when a run is revoked, what it has called is revoked as well', () => {
  const endless = handleTask(
    double,
    (_, { signal }) =>
      new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  const caller = handle(async (context) =>
    context.all([
      () => context.call(double, { n: 1 }),
      () => context.call(double, { n: 2 }, { delayMs: 3_600_000 }),
    ]),
  );

  test('whether that runs or waits', async () => {
    const jobs = await openJobs();
    jobs.worker([endless, caller]);
    const { id } = await jobs.client.enqueue(journey, {});
    await waiting(jobs, id);
    const [running = '', delayed = ''] = await calledBy(jobs, id);
    const stateOf = async (child: string) => (await jobs.client.status(child))?.state;
    await waitFor('the first to run', async () => (await stateOf(running)) === 'STARTED');
    expect(await stateOf(delayed)).toBe('SCHEDULED');
    expect(await jobs.client.revoke(id)).toBe('revoked');
    for (const child of [running, delayed])
      expect(await jobs.client.result(child)).toMatchObject({ state: 'REVOKED' });
  });
});

test('a run that expires takes what it has called with it', async () => {
  const jobs = await openJobs();
  jobs.worker([doubleHandler, handle(async (context) => context.call(double, { n: 1 }, { delayMs: 2_500 }))]);
  const { id } = await jobs.client.enqueue(journey, {}, { expires: new Date(Date.now() + 1_500) });
  await waiting(jobs, id);
  const [called = ''] = await calledBy(jobs, id);
  expect(await jobs.client.result(id)).toMatchObject({ state: 'EXPIRED' });
  expect(await jobs.client.result(called)).toMatchObject({ state: 'REVOKED' });
});

test('without a broker, a run gets what the test says that its calls return', async () => {
  const caller = handle(async (context) => {
    const { n } = await context.call(double, { n: 20 });
    const failed = await context.call(double, { n: 0 }).catch((error: unknown) => String(error));
    return [n, failed];
  });
  const answer = (payload: unknown): unknown => {
    const { n } = double.input.parse(payload);
    if (n === 0) throw new TaskError('nothing to double');
    return { n: n * 2 };
  };
  const run = await runTask(caller, {}, { untilDone: true, calls: { double: answer } });
  expect(run).toMatchObject({
    outcome: 'succeeded',
    result: [40, expect.stringContaining('nothing to double')],
  });
  expect(run.enqueued.map(({ payload }) => payload)).toEqual([{ n: 20 }, { n: 0 }]);
});
