import fc from 'fast-check';
import { expect, test } from 'vitest';
import { apportion } from './apportion.js';

test('parts sum to the whole, and none is a unit or more from its exact share', () => {
  const weights = fc.array(fc.bigInt({ min: 0n, max: 10n ** 15n }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), weights, (total, each) => {
      const parts = apportion(total, each);
      expect(parts.reduce((a, b) => a + b, 0n)).toBe(total);
      const sum = each.reduce((a, b) => a + b, 0n);
      if (sum === 0n) return;
      for (const [index, part] of parts.entries()) {
        const off = part * sum - total * (each[index] ?? 0n);
        expect(off < sum && off > -sum).toBe(true);
      }
    }),
  );
});

test('of a correction that is below zero the parts sum to the whole, too', () => {
  expect(apportion(-100n, [1n, 1n, 1n])).toEqual([-33n, -33n, -34n]);
  expect(apportion(5n, [0n, 0n])).toEqual([3n, 2n]);
  expect(apportion(5n, [])).toEqual([]);
});
