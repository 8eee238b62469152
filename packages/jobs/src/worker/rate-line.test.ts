import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RateLimit, RateLineEntry } from '../control/entries.js';
import { answerAtLine, START_AHEAD_MS, type RateAnswer, type RateRequest } from './rate-line.js';

const limit = (count: number, perMs: number): RateLimit => ({ task: 'limited', limit: count, perMs });

function turns(count: number, of: RateLimit): RateRequest[] {
  return Array.from({ length: count }, () => ({ kind: 'turn', limit: of, isReturning: false }));
}

function starts(count: number, of: RateLimit): RateRequest[] {
  return Array.from({ length: count }, () => ({ kind: 'start', limit: of }));
}

const times = (answers: readonly RateAnswer[], kind: RateAnswer['kind']): number[] =>
  answers.flatMap((answer) => (answer.kind === kind ? [answer.at] : []));

/** By a rounding error of a double at most. */
function expectApart(all: readonly number[], interval: number): void {
  for (const [index, at] of all.entries())
    if (index > 0) expect(at - (all[index - 1] ?? 0)).toBeGreaterThanOrEqual(interval - 1e-6);
}

describe('the line at a rate limit', () => {
  const asks = fc.array(
    fc
      .record({
        after: fc.nat(5_000),
        // The clocks of two workers differ: a later request may come with an earlier time.
        behind: fc.nat(900),
        turns: fc.nat(20),
        starts: fc.nat(20),
      })
      .filter((ask) => ask.turns + ask.starts > 0),
  );

  test('gives turns and allows starts an interval apart, whoever asks when for how many', () => {
    fc.assert(
      fc.property(asks, fc.integer({ min: 1, max: 200 }), (given, perSecond) => {
        let entry: RateLineEntry | undefined;
        let clock = 1_000_000;
        const turnsGiven: number[] = [];
        const started: number[] = [];
        const of = limit(perSecond, 1_000);
        for (const ask of given) {
          clock += ask.after;
          const now = clock - ask.behind;
          const answered = answerAtLine(entry, [...turns(ask.turns, of), ...starts(ask.starts, of)], now);
          ({ entry } = answered);
          turnsGiven.push(...times(answered.answers.slice(0, ask.turns), 'wait'));
          const allowed = times(answered.answers.slice(ask.turns), 'start');
          for (const at of allowed) expect(at - now).toBeLessThanOrEqual(START_AHEAD_MS);
          started.push(...allowed);
        }
        expectApart(turnsGiven, 1_000 / perSecond);
        expectApart(started, 1_000 / perSecond);
      }),
    );
  });

  test('lets a task start that comes long after its turn, whatever turns others have', () => {
    const of = limit(10, 1_000);
    const { entry } = answerAtLine(undefined, turns(600, of), 0);
    const late = answerAtLine(entry, starts(2, of), 5_000);
    expect(late.answers).toEqual([
      { kind: 'start', at: 5_000 },
      { kind: 'wait', at: 5_100 },
    ]);
  });

  test('of a changed limit begins at once', () => {
    const slow = answerAtLine(undefined, turns(10, limit(1, 1_000)), 0);
    const fast = answerAtLine(slow.entry, turns(1, limit(100, 1_000)), 500);
    expect(fast.answers).toEqual([{ kind: 'wait', at: 500 }]);
  });

  test('of a worker that knows no starts is understood', () => {
    const older: RateLineEntry = { limit: 10, perMs: 1_000, next: 2_000, beyond: 0 };
    expect(answerAtLine(older, starts(1, limit(10, 1_000)), 1_000).answers).toEqual([
      { kind: 'start', at: 1_000 },
    ]);
  });

  test('delays nobody by a time that is out of reach', () => {
    const of = limit(10, 1_000);
    const wrong = { limit: 10, perMs: 1_000, next: 1e15, beyond: 0, started: 1e15 };
    const { answers } = answerAtLine(wrong, starts(1, of), 1_000);
    expect(answers).toEqual([{ kind: 'wait', at: 2_000 + START_AHEAD_MS + 100 }]);
    const full = answerAtLine(wrong, turns(1, of), 1_000);
    expect(full.entry.next).toBeLessThanOrEqual(62_200);
  });

  test('counts those that found it full, until they return', () => {
    const of = limit(1, 1_000);
    const { entry } = answerAtLine(undefined, turns(100, of), 1_000);
    expect(entry.beyond).toBe(39);
    const back = answerAtLine(entry, [{ kind: 'turn', limit: of, isReturning: true }], 11_000);
    expect(back.entry.beyond).toBe(38);
  });
});
