/** A dependency that cannot be reached costs no retries. */
import { defineTask, handleTask, TaskError, type RetryOptions, type TaskContract } from '@stratum/jobs';
import { runTask } from '@stratum/jobs/testing';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { openJobs } from './fixture.js';

const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

const task = (name: string, retry: RetryOptions): TaskContract =>
  defineTask({ name, queue: 'work', input: z.object({}), output: z.object({ retries: z.int() }), retry });

const visit = task('visit', { maxRetries: 0 });

test('a task without retries outlasts an outage, and its record says what it waits for', async () => {
  const jobs = await openJobs();
  let isAway = true;
  const seen: (string | undefined)[] = [];
  jobs.worker([
    handleTask(visit, async (_, { id, retries }) => {
      seen.push((await jobs.client.status(id))?.error?.message);
      if (isAway) throw refused();
      return { retries };
    }),
  ]);
  const { id } = await jobs.client.enqueue(visit, {});
  for await (const record of jobs.client.watch(id)) {
    if (record.state !== 'SCHEDULED') continue;
    expect(record).toMatchObject({ retries: 0, error: { message: 'connect ECONNREFUSED', retryable: true } });
    isAway = false;
  }
  expect(await jobs.client.result(visit, id)).toMatchObject({
    state: 'SUCCESS',
    result: { retries: 0 },
    snoozes: 1,
    error: null,
  });
  expect(seen).toHaveLength(2);
});

test('a task that expires meanwhile ends at that time', async () => {
  const jobs = await openJobs();
  let runs = 0;
  jobs.worker([
    handleTask(visit, () => {
      runs++;
      throw refused();
    }),
  ]);
  const { id } = await jobs.client.enqueue(visit, {}, { expires: new Date(Date.now() + 5_000) });
  expect(await jobs.client.result(id)).toMatchObject({ state: 'EXPIRED', retries: 0 });
  expect(runs).toBeGreaterThan(0);
});

test('an outage that lasts longer than the policy allows spends the retries, one for each attempt', async () => {
  const contract = task('patient', { maxRetries: 2, unreachableForMs: 600_000 });
  const run = await runTask(
    handleTask(contract, () => {
      throw refused();
    }),
    {},
    { untilDone: true },
  );
  expect(run).toMatchObject({ outcome: 'failed', reason: 'max_retries' });
  // Pauses that double every other time, up to a minute, then three attempts that count.
  expect(run.attempts).toBeGreaterThan(15);
  expect(run.attempts).toBeLessThan(40);
});

test.each<[string, RetryOptions, Error]>([
  ['the policy waits for nothing', { maxRetries: 0, unreachableForMs: 0 }, refused()],
  ['the policy never retries it', { neverOn: () => true }, refused()],
  [
    'the error carries advice of its own',
    { maxRetries: 0 },
    new TaskError('no', { cause: refused(), retryable: true }),
  ],
  ['the task fails by itself', { maxRetries: 0 }, new Error('a bug')],
])("the failure is the task's own where %s", async (_, retry, error) => {
  const contract = task('own', retry);
  const run = await runTask(
    handleTask(contract, () => {
      throw error;
    }),
    {},
  );
  expect(run).toMatchObject({ outcome: 'failed', attempts: 1 });
});
