import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isGrowing, trendOf, type Sample } from './trend.js';

const ALLOWED = 20;
const at = (values: readonly number[]): Sample[] => values.map((value, index) => ({ at: index * 5, value }));
const noise = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 60, maxLength: 120 });

test('noise around a level is no growth, wherever single samples jump to', () => {
  fc.assert(
    fc.property(noise, fc.double({ min: 0, max: 1_000, noNaN: true }), fc.nat(59), (each, level, outlier) => {
      const values = each.map((value, index) => level + value + (index === outlier ? 10_000 : 0));
      expect(isGrowing(trendOf(at(values)), ALLOWED)).toBe(false);
    }),
  );
});

test('steady growth beyond what is allowed is found under the same noise', () => {
  fc.assert(
    fc.property(noise, fc.double({ min: 30, max: 1_000, noNaN: true }), (each, growth) => {
      const values = each.map((value, index) => 200 + value + (growth * index) / (each.length - 1));
      const trend = trendOf(at(values));
      expect(isGrowing(trend, ALLOWED)).toBe(true);
      expect(Math.abs(trend.growth - growth)).toBeLessThan(12);
    }),
  );
});

test('a saw tooth, as a garbage collector makes it, is no growth', () => {
  const values = Array.from({ length: 200 }, (_, index) => 100 + (index % 20) * 4);
  expect(isGrowing(trendOf(at(values)), ALLOWED)).toBe(false);
});
