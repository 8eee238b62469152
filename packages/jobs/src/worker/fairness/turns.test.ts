import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Turns } from './turns.js';

const weights = fc
  .array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 30 })
  .map((list) => new Map(list.map((weight, index) => [`t${index}`, weight])));
const portion = fc.integer({ min: 1, max: 12 });

function sum(each: ReadonlyMap<string, number>): number {
  return [...each.values()].reduce((total, weight) => total + weight, 0);
}

describe('turns', () => {
  test('go by weight, to within one turn, in portions of any size', () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 4 }), portion, (each, rounds, size) => {
        const turns = new Turns<string>();
        const counts = new Map<string, number>();
        let left = sum(each) * rounds;
        while (left > 0) {
          const chosen = turns.next(each, Math.min(size, left));
          left -= chosen.length;
          for (const key of chosen) counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        for (const [key, weight] of each)
          expect(Math.abs((counts.get(key) ?? 0) - weight * rounds)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('who joins late has a turn within one round, and catches nothing up', () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 0, max: 500 }), (each, before) => {
        const turns = new Turns<string>();
        for (let turn = 0; turn < before; turn++) turns.next(each, 1);
        const joined = new Map([...each, ['late', 1]]);
        const chosen = turns.next(joined, sum(joined) + joined.size);
        const late = chosen.filter((key) => key === 'late').length;
        expect(late).toBeGreaterThanOrEqual(1);
        expect(late).toBeLessThanOrEqual(3);
      }),
    );
  });

  test('nobody is next when nobody waits', () => {
    expect(new Turns<string>().next(new Map(), 3)).toEqual([]);
  });
});
