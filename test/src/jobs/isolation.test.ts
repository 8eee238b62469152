/** Work that cannot be asked to stop runs in threads that are terminated. */
import { chain, defineTask, isolateTask, step } from '@stratum/jobs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs } from './fixture.js';

const MODULE = new URL('isolated-handlers.mjs', import.meta.url);

const heavy = defineTask({
  name: 'heavy',
  queue: 'work',
  input: z.object({
    act: z.enum(['return', 'fail', 'retry', 'partial', 'previous', 'start', 'required', 'block']),
    value: z.string().default(''),
  }),
  output: z.object({ value: z.string(), retries: z.int(), id: z.string() }),
});

describe('an isolated task', () => {
  test('runs like any other: result, progress, retries, errors', async () => {
    const { client, worker } = await openJobs();
    worker([isolateTask(heavy, { module: MODULE, export: 'isolated' })]);
    const { id } = await client.enqueue(heavy, { act: 'return', value: 'x' });
    expect(await client.result(id)).toMatchObject({
      state: 'SUCCESS',
      result: { value: 'x', retries: 0, id },
      progress: { done: 1, total: 2, note: 'in the thread' },
    });
    const { id: retried } = await client.enqueue(heavy, { act: 'retry' });
    expect(await client.result(retried)).toMatchObject({ state: 'SUCCESS', result: { retries: 1 } });
    const { id: failed } = await client.enqueue(heavy, { act: 'fail' });
    expect(await client.result(failed)).toMatchObject({
      state: 'FAILURE',
      error: { type: 'TypeError', message: 'not like this' },
    });
    expect(await client.deadLetters.get(failed)).toMatchObject({ reason: 'not_retryable' });
  });

  test('can be a step of a workflow, and start one', async () => {
    const { client, worker } = await openJobs();
    worker([isolateTask(heavy, { module: MODULE, export: 'isolated' })]);
    const definition = chain(step(heavy, { act: 'return', value: 'x' }), step(heavy, { act: 'previous' }));
    await client.workflows.start(definition, { id: 'w' });
    const { result } = await client.workflows.result('w');
    expect(result).toEqual({
      value: JSON.stringify({ value: 'x', retries: 0, id: 'w-1' }),
      retries: 0,
      id: 'w',
    });
    await client.enqueue(heavy, { act: 'start' }, { id: 'parent' });
    expect(await client.workflows.result('parent-wf')).toMatchObject({ result: { value: 'in a workflow' } });
    expect(await client.status('parent-wf-1')).toMatchObject({ parent_id: 'parent' });
  });

  test('that loops for ever is ended by its hard limit, and its slot is free again', async () => {
    const { client, worker } = await openJobs();
    const busy = worker([isolateTask(heavy, { module: MODULE, export: 'isolated', maxThreads: 1 })], {
      concurrency: 1,
    });
    const { id } = await client.enqueue(heavy, { act: 'block' }, { softTimeLimitMs: 150, timeLimitMs: 300 });
    const { id: next } = await client.enqueue(heavy, { act: 'return', value: 'next' });
    expect(await client.result(id)).toMatchObject({ state: 'FAILURE', error: { type: 'TimeLimitExceeded' } });
    expect(await client.result(next)).toMatchObject({ state: 'SUCCESS', result: { value: 'next' } });
    expect(busy.stats().abandoned).toBe(0);
  });

  test('that loops for ever ends when it is revoked with terminate', async () => {
    const { client, worker } = await openJobs();
    worker([isolateTask(heavy, { module: MODULE, export: 'isolated' })]);
    const { id } = await client.enqueue(heavy, { act: 'block' });
    await waitFor('it to start', async () => (await client.status(id))?.state === 'STARTED');
    await client.revoke(id, { terminate: true });
    expect(await client.result(id)).toMatchObject({ state: 'REVOKED' });
  });

  // Node aborts the process when a thread is terminated while `require` loads an ES module.
  test('runs in a thread whose ES modules are all imported', async () => {
    const { client, worker } = await openJobs();
    worker([isolateTask(heavy, { module: MODULE, export: 'isolated' })]);
    const { id } = await client.enqueue(heavy, { act: 'required' });
    const { result } = await client.result(id);
    expect(heavy.output.parse(result).value).toMatch(/^\S+\/entry\.cjs$/);
  });

  test('may return a partial result at its soft time limit', async () => {
    const { client, worker } = await openJobs();
    worker([isolateTask(heavy, { module: MODULE, export: 'isolated' })]);
    const { id } = await client.enqueue(
      heavy,
      { act: 'partial' },
      { softTimeLimitMs: 500, timeLimitMs: 60_000 },
    );
    expect(await client.result(id)).toMatchObject({
      state: 'SUCCESS',
      result: { value: 'SoftTimeLimitExceeded' },
    });
  });
});
