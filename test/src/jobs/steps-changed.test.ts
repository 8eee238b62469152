/** What a run says when its handler has changed meanwhile: nothing runs in the place of something else, and it goes on once the handler fits again. */
import { defineEvent, defineTask, handleTask, StepsChangedError, type TaskContext } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs } from './fixture.js';
import { approval, handle, journey, waiting } from './waits/fixture.js';

const child = { queue: 'work', input: z.object({}), output: z.int() };
const publish = defineTask({ ...child, name: 'publish' });
const measure = defineTask({ ...child, name: 'measure' });
const calledHandlers = [handleTask(publish, () => 1), handleTask(measure, () => 2)];
const payment = defineEvent({ name: 'payment', payload: z.object({}) });

type Run = (context: TaskContext) => Promise<unknown>;

interface Change {
  before: Run;
  after: Run;
  problem: string;
}

const one: Run = (context) => context.step('one', () => 1);
const two: Run = (context) => context.step('two', () => 2);
const approved: Run = (context) => context.waitForEvent(approval, { key: 'spring', timeoutMs: 1 });
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
  'branches have become steps': {
    before: (context) => context.all([() => one(context), () => two(context)]),
    after: (context) => one(context).then(() => two(context)),
    problem: 'step 0 had branches, and is now "one"',
  },
  'steps have become branches': {
    before: (context) => one(context).then(() => two(context)),
    after: (context) => context.all([() => one(context), () => two(context)]),
    problem: 'step 0 was "one", and has branches now',
  },
  'another event is waited for': {
    before: approved,
    after: (context) => context.waitForEvent(payment, { key: 'spring', timeoutMs: 1 }),
    problem: 'step 0 was the wait for the event "approval", and is now the wait for the event "payment"',
  },
  'an event is waited for with another key': {
    before: approved,
    after: (context) => context.waitForEvent(approval, { key: 'summer', timeoutMs: 1 }),
    problem: 'step 0, the wait for the event "approval", is now one with another key',
  },
  'a wait for an event has become a step of its name': {
    before: approved,
    after: (context) => context.step('approval', () => 1),
    problem: 'step 0 was the wait for the event "approval", and is now "approval"',
  },
  'a wait for an event is gone': {
    before: (context) => one(context).then(() => approved(context)),
    after: one,
    problem: 'step 1 the wait for the event "approval" has run, and the handler has ended without it',
  },
  'another task is called': {
    before: (context) => context.call(publish, {}),
    after: (context) => context.call(measure, {}),
    problem: 'step 0 was the call of the task "publish", and is now the call of the task "measure"',
  },
  'a call has become a wait': {
    before: (context) => context.call(publish, {}),
    after: (context) => context.waitForEvent('publish', { timeoutMs: 1 }),
    problem: 'step 0 was the call of the task "publish", and is now the wait for the event "publish"',
  },
  'a call in a branch is gone': {
    before: (context) => context.all([() => one(context), () => context.call(publish, {})]),
    after: (context) => context.all([() => one(context)]),
    problem: 'step 0-1-0 the call of the task "publish" has run, and the handler has ended without it',
  },
};

test.each(Object.entries(CHANGES))(
  'a handler in which %s fails the run with what does not fit, and a replay goes on',
  async (_, { before, after, problem }) => {
    const jobs = await openJobs();
    let hasRun = false;
    const first = jobs.worker(
      [
        ...calledHandlers,
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
    const second = jobs.worker([...calledHandlers, handle(after)]);
    const record = await jobs.client.result(id);
    expect(record).toMatchObject({
      state: 'FAILURE',
      retries: 0,
      error: { type: StepsChangedError.name, retryable: false },
    });
    expect(record.error?.message).toContain(problem);
    await second.stop();
    jobs.worker([...calledHandlers, handle((context) => before(context).then(() => 'fits again'))]);
    const [letter] = await jobs.client.deadLetters.list();
    await jobs.client.deadLetters.replay(letter?.id ?? '');
    expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: 'fits again' });
  },
);

test('a run that waits while its handler changes says so when it is woken, and takes the event after its replay', async () => {
  const jobs = await openJobs();
  const wait =
    (event: typeof approval | typeof payment): Run =>
    (context) =>
      context.waitForEvent(event, { key: 'spring', timeoutMs: 3_600_000 });
  const first = jobs.worker([handle(wait(approval))]);
  const { id } = await jobs.client.enqueue(journey, {});
  await waiting(jobs, id);
  await first.stop();
  const second = jobs.worker([handle(wait(payment))]);
  await jobs.client.sendEvent(approval, { by: 'ann' }, { key: 'spring' });
  const { state, error } = await jobs.client.result(id);
  expect({ state, type: error?.type }).toEqual({ state: 'FAILURE', type: StepsChangedError.name });
  await second.stop();
  jobs.worker([handle(wait(approval))]);
  const [letter] = await jobs.client.deadLetters.list();
  await jobs.client.deadLetters.replay(letter?.id ?? '');
  const replayed = await jobs.client.result(id);
  expect(replayed.result).toMatchObject({ state: 'received', payload: { by: 'ann' } });
});
