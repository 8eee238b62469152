/** A worker whose handlers depend on something that cannot be used, such as a database. */
import { defineTask, handleTask } from '@stratum/jobs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { add, addHandler, openJobs } from './fixture.js';

/** A dependency that can be switched off. */
class Switch {
  isOn = true;

  readonly probe = async (): Promise<void> => {
    if (!this.isOn) throw new Error('off');
  };
}

describe('a worker whose dependency cannot be used', () => {
  test('takes no tasks; another one runs them, and it takes them again once it can', async () => {
    const { client, worker } = await openJobs();
    const dependency = new Switch();
    dependency.isOn = false;
    const waiting = worker([addHandler], { readiness: dependency.probe });
    await client.enqueue(add, { a: 1, b: 1 }, { id: 'first' });
    const other = worker([addHandler]);
    expect(await client.result('first')).toMatchObject({ state: 'SUCCESS', worker: other.name });
    expect([waiting.isReady, other.isReady]).toEqual([false, true]);
    await other.stop();
    await client.enqueue(add, { a: 1, b: 1 }, { id: 'second' });
    dependency.isOn = true;
    expect(await client.result('second')).toMatchObject({ state: 'SUCCESS', worker: waiting.name });
    expect(waiting.isReady).toBe(true);
  });

  test('counts no failure that the dependency explains', async () => {
    const { client, worker } = await openJobs();
    const dependency = new Switch();
    const fragile = defineTask({
      name: 'fragile',
      queue: 'work',
      input: z.object({}),
      output: z.object({ retries: z.int() }),
      retry: { maxRetries: 0 },
    });
    let runs = 0;
    const failing = worker(
      [
        handleTask(fragile, (_payload, { retries }) => {
          if (runs++ > 0) return { retries };
          dependency.isOn = false;
          throw new Error('connection refused');
        }),
      ],
      { readiness: dependency.probe },
    );
    const { id } = await client.enqueue(fragile, {});
    await waitFor('it to be put off', async () => (await client.status(id))?.state === 'SCHEDULED');
    expect(failing.isReady).toBe(false);
    dependency.isOn = true;
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { retries: 0 }, snoozes: 1 });
  });
});
