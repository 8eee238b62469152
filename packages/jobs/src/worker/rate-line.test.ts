import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RateLineEntry } from '../control/entries.js';
import { takeTurns } from './rate-line.js';

const limit = (count: number, perMs: number): { task: string; limit: number; perMs: number } => ({
  task: 'limited',
  limit: count,
  perMs,
});

describe('the turns at a rate limit', () => {
  test('are an interval apart, whoever asks when for how many', () => {
    const asks = fc.array(
      fc.record({ after: fc.nat(5_000), count: fc.integer({ min: 1, max: 20 }), latency: fc.nat(1_000) }),
    );
    fc.assert(
      fc.property(asks, fc.integer({ min: 1, max: 50 }), (given, perSecond) => {
        let entry: RateLineEntry | undefined;
        let now = 1_000_000;
        const starts: number[] = [];
        for (const { after, count, latency } of given) {
          now += after;
          const batch = Array.from({ length: count }, () => ({
            limit: limit(perSecond, 1_000),
            isReturning: false,
          }));
          const taken = takeTurns(entry, batch, now, latency);
          ({ entry } = taken);
          for (const turn of taken.turns)
            if (turn.kind === 'turn') {
              // Its task hears of it in time.
              expect(turn.at).toBeGreaterThanOrEqual(now + latency);
              starts.push(turn.at);
            } else expect(turn.askAt).toBeGreaterThan(now);
        }
        for (const [index, start] of starts.entries())
          if (index > 0)
            expect(start - (starts[index - 1] ?? 0)).toBeGreaterThanOrEqual(1_000 / perSecond - 1e-6);
      }),
    );
  });

  test('of a changed limit begin at once', () => {
    const slow = takeTurns(
      undefined,
      Array.from({ length: 10 }, () => ({ limit: limit(1, 1_000), isReturning: false })),
      0,
    );
    const fast = takeTurns(slow.entry, [{ limit: limit(100, 1_000), isReturning: false }], 500);
    expect(fast.turns).toEqual([{ kind: 'turn', at: 500 }]);
  });

  test('count those that found the line full, until they return', () => {
    const many = Array.from({ length: 100 }, () => ({ limit: limit(1, 1_000), isReturning: false }));
    const { entry } = takeTurns(undefined, many, 1_000);
    expect(entry.beyond).toBe(39);
    const back = takeTurns(entry, [{ limit: limit(1, 1_000), isReturning: true }], 11_000);
    expect(back.entry.beyond).toBe(38);
  });
});
