import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoTime } from './iso-time.js';

const LAST = 8_640_000_000_000_000;

test('writes every time that a date holds as the date does', () => {
  const any = fc.double({ min: -LAST, max: LAST, noNaN: true });
  const recent = fc.integer({ min: 1_700_000_000_000, max: 1_700_000_020_000 });
  fc.assert(
    fc.property(fc.array(fc.oneof(any, recent), { minLength: 1, maxLength: 50 }), (times) => {
      for (const time of times) expect(isoTime(time)).toBe(new Date(time).toISOString());
    }),
    { numRuns: 1_000 },
  );
});

test.each([NaN, Infinity, -Infinity, LAST + 1, -LAST - 1])('refuses %d as the date does', (time) => {
  expect(() => isoTime(time)).toThrow(RangeError);
});
