import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { SoftTimeLimitExceeded, TaskError } from '../errors.js';
import { defineTask } from '../task/define-task.js';
import { chain, step } from '../workflow/builders.js';
import { handleTask } from '../isolation/handle-task.js';
import {
  assertEnqueued,
  assertFailed,
  assertNothingEnqueued,
  assertRetried,
  assertSucceeded,
  createTestClock,
  runTask,
} from './index.js';

const child = defineTask({ name: 'child', queue: 'work', input: z.object({ n: z.int() }), output: z.null() });
const task = defineTask({
  name: 'task',
  queue: 'work',
  input: z.object({ fail: z.int() }),
  output: z.object({ retries: z.int() }),
  retry: { maxRetries: 3, backoff: { kind: 'fixed', delayMs: 1_000 } },
  limits: { softTimeLimitMs: 5_000, timeLimitMs: 10_000 },
});
const flaky = handleTask(task, ({ fail }, { retries }) => {
  if (retries < fail) throw new TaskError(`failure ${retries}`);
  return { retries };
});

describe('a task run in a test', () => {
  test('ends as it would in a worker', async () => {
    expect(assertSucceeded(await runTask(flaky, { fail: 0 }), task)).toEqual({ retries: 0 });
    assertRetried(await runTask(flaky, { fail: 1 }), { delayMs: 1_000 });
    assertFailed(await runTask(flaky, { fail: 9 }, { retries: 3 }), /failure 3/);
    const wrong = await runTask(flaky, { fail: 'x' });
    expect(wrong).toMatchObject({ outcome: 'failed', reason: 'invalid_payload' });
  });

  test('is followed through its retries, as many as its policy has', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(6), fc.nat(5), async (fail, maxRetries) => {
        const run = await runTask(flaky, { fail }, { untilDone: true, maxRetries });
        expect(run.outcome).toBe(fail <= maxRetries ? 'succeeded' : 'failed');
        expect(run.attempts).toBe(Math.min(fail, maxRetries) + 1);
      }),
    );
  });

  test('shows its progress, its children, its snoozes and its log', async () => {
    let looks = 0;
    const busy = handleTask(task, async (_payload, context) => {
      if (++looks < 3) context.snooze(50);
      context.progress(1, 2, 'half');
      context.logger.info({ looks }, 'looked');
      await context.enqueue(child, { n: 7 }, { delayMs: 10 });
      return { retries: context.retries };
    });
    assertNothingEnqueued(await runTask(busy, { fail: 0 }));
    const run = await runTask(busy, { fail: 0 }, { untilDone: true, id: 'a' });
    expect(run).toMatchObject({
      outcome: 'succeeded',
      attempts: 2,
      progress: [{ done: 1, total: 2, note: 'half' }],
    });
    expect(assertEnqueued(run, child, { n: 7 }).options).toMatchObject({ delayMs: 10, parentId: 'a' });
    expect(() => assertEnqueued(run, child, { n: 8 })).toThrow(/child \{"n":7\}/);
    expect(run.logs).toContainEqual(expect.objectContaining({ msg: 'looked', looks: 3, id: 'a' }));
  });

  test('shows the workflows that it started, and receives the previous result', async () => {
    const starting = handleTask(task, async (_payload, context) => {
      const previous = await context.previous();
      const { id } = await context.startWorkflow(chain(step(child, { n: Number(previous) })), { id: 'w' });
      expect(id).toBe('w');
      return { retries: 0 };
    });
    const run = await runTask(starting, { fail: 0 }, { previous: 7 });
    const [started] = run.workflows;
    expect(started?.definition).toMatchObject({
      chain: [{ task: 'child', queue: 'work', payload: { n: 7 } }],
    });
    assertFailed(
      await runTask(starting, { fail: 0 }, { previous: 'x', maxRetries: 0 }),
      /chain\[0\]\.payload\.n/,
    );
  });

  test('meets its limits when the clock is advanced', async () => {
    const clock = createTestClock();
    const waiting = handleTask(
      task,
      (_payload, { signal }) =>
        new Promise((resolve, reject) =>
          signal.addEventListener('abort', () =>
            signal.reason instanceof SoftTimeLimitExceeded ? resolve({ retries: 0 }) : reject(signal.reason),
          ),
        ),
    );
    const soft = runTask(waiting, { fail: 0 }, { clock });
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(5_000);
    assertSucceeded(await soft, task);
    const deaf = runTask(
      handleTask(task, () => new Promise<never>(() => undefined)),
      { fail: 0 },
      { clock },
    );
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
    expect(await deaf).toMatchObject({ outcome: 'failed', reason: 'time_limit' });
  });

  test('that does not end as expected reports how it ended', async () => {
    const run = await runTask(flaky, { fail: 1 });
    expect(() => assertSucceeded(run, task)).toThrow(/asked for a retry after 1000 ms: failure 0/);
    expect(() => assertFailed(run)).toThrow(/asked for a retry/);
    expect(() => assertRetried(run, { delayMs: 5 })).toThrow(/after 1000 ms/);
  });
});
