import { expect, onTestFinished, test, vi } from 'vitest';
import { BackgroundLoop } from './background-loop.js';

function loopOf(
  run: (signal: AbortSignal) => Promise<number | undefined>,
  options: { everyMs: number; afterFailureMs?: number },
): { loop: BackgroundLoop; failures: unknown[] } {
  const failures: unknown[] = [];
  const loop = new BackgroundLoop({ run, ...options, onFailure: (error) => failures.push(error) });
  onTestFinished(() => loop.stop());
  return { loop, failures };
}

test('a run that fails is reported and repeated, each run alone', async () => {
  let runs = 0;
  let atOnce = 0;
  let most = 0;
  const { loop, failures } = loopOf(
    async () => {
      most = Math.max(most, ++atOnce);
      await Promise.resolve();
      atOnce--;
      if (++runs === 2) throw new Error('second');
      return 0;
    },
    { everyMs: 3_600_000, afterFailureMs: 0 },
  );
  loop.start();
  loop.start();
  await vi.waitUntil(() => runs >= 4);
  expect(failures).toEqual([new Error('second')]);
  expect(most).toBe(1);
});

test('a stop ends the pause, waits for the run in progress, and makes its end no failure', async () => {
  let started = false;
  const { loop, failures } = loopOf(
    (signal) => {
      started = true;
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('cut short')), { once: true });
      });
    },
    { everyMs: 3_600_000 },
  );
  loop.start();
  await vi.waitUntil(() => started);
  await loop.stop();
  await loop.stop();
  expect(failures).toEqual([]);

  let runs = 0;
  const pausing = loopOf(
    async () => {
      runs++;
      return undefined;
    },
    { everyMs: 3_600_000 },
  );
  pausing.loop.start();
  await vi.waitUntil(() => runs === 1);
  await pausing.loop.stop();
  expect(runs).toBe(1);
});

test('a loop that was stopped before its start never runs', async () => {
  const run = vi.fn<() => Promise<undefined>>(async () => undefined);
  const { loop } = loopOf(run, { everyMs: 0 });
  await loop.stop();
  loop.start();
  await loop.stop();
  expect(run).not.toHaveBeenCalled();
});

test('a wake-up ends the pause, and one that comes during a run is followed by another run', async () => {
  let runs = 0;
  const { loop } = loopOf(
    async () => {
      if (++runs === 2) loop.wake();
      return undefined;
    },
    { everyMs: 3_600_000 },
  );
  loop.start();
  await vi.waitUntil(() => runs === 1);
  loop.wake();
  await vi.waitUntil(() => runs === 3);
  await loop.stop();
  expect(runs).toBe(3);
});
