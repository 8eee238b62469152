/** Every window is looked at once, and no request takes longer than its time, however many runs there are. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { walkBack } from './walk-back.js';

const HOUR_MS = 3_600_000;
const BUDGET_MS = 150;
const NOW = new Date('2026-11-30T12:00:00Z');

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
});

test('windows follow each other without a gap, and end when the time is over', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        hours: fc.integer({ min: 1, max: 24 * 400 }),
        /** What the clocks of workers are ahead. */
        aheadMs: fc.integer({ min: 0, max: 24 * HOUR_MS }),
        /** What each look takes, and each hour of it. */
        fixedMs: fc.integer({ min: 0, max: 20 }),
        perHourMs: fc.integer({ min: 0, max: 60 }),
        /** Older runs take so many times as long. */
        coldHours: fc.integer({ min: 1, max: 100 }),
        coldTimes: fc.integer({ min: 1, max: 20 }),
      }),
      async ({ hours, aheadMs, fixedMs, perHourMs, coldHours, coldTimes }) => {
        vi.setSystemTime(NOW);
        const from = new Date(NOW.getTime() - hours * HOUR_MS);
        const to = new Date(NOW.getTime() + aheadMs);
        const startedAt = performance.now();
        let reached = to;
        const walk = { from, to, budgetMs: BUDGET_MS, stepMs: HOUR_MS };
        const end = await walkBack(walk, (since, until, withinMs = Infinity) => {
          expect(until).toEqual(reached);
          expect(since.getTime()).toBeLessThan(until.getTime());
          const length = (Math.min(until.getTime(), NOW.getTime()) - since.getTime()) / HOUR_MS;
          const isCold = since.getTime() < NOW.getTime() - coldHours * HOUR_MS;
          const takesMs = fixedMs + Math.ceil(length * perHourMs * (isCold ? coldTimes : 1));
          vi.advanceTimersByTime(Math.min(takesMs, Math.ceil(withinMs)));
          if (takesMs > withinMs) return Promise.resolve('late');
          reached = since;
          return Promise.resolve('on');
        });
        expect(end).toEqual(reached);
        expect(end.getTime()).toBeGreaterThanOrEqual(from.getTime());
        const tookMs = performance.now() - startedAt;
        // The first window has to be looked at, whatever it takes.
        const stepMs = fixedMs + perHourMs * coldTimes + 1;
        expect(tookMs).toBeLessThanOrEqual(Math.max(BUDGET_MS + 1, stepMs));
        // It uses its time.
        if (end > from) expect(tookMs).toBeGreaterThanOrEqual(BUDGET_MS);
      },
    ),
    { numRuns: 300 },
  );
});

test('it ends with the window that is enough', async () => {
  const walk = { from: new Date(0), to: NOW, budgetMs: BUDGET_MS, stepMs: HOUR_MS };
  const end = await walkBack(walk, () => Promise.resolve('enough'));
  expect(end).toEqual(new Date(NOW.getTime() - HOUR_MS));
});

test('what each look takes by itself does not keep windows from growing', async () => {
  const walk = { from: new Date(0), to: NOW, budgetMs: BUDGET_MS, stepMs: HOUR_MS };
  const end = await walkBack(walk, (_since, _until, withinMs = Infinity) => {
    vi.advanceTimersByTime(Math.min(25, Math.ceil(withinMs)));
    return Promise.resolve(withinMs < 25 ? 'late' : 'on');
  });
  // Six looks: of 1, 4, 16, 64, 256 and 1,024 hours.
  expect(end).toEqual(new Date(NOW.getTime() - 1_365 * HOUR_MS));
});
