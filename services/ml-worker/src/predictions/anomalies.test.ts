import fc from 'fast-check';
import { expect, test } from 'vitest';
import { controlled, testLastDay } from './anomalies.js';

test('a day is measured against the expectation from the others', () => {
  const flat = Array.from({ length: 28 }, () => 100);
  // Nothing deviates, so the least spread counts, 3 % of 100: 0.6745 · (120 − 100) / 3.
  expect(testLastDay([...flat, 120])).toMatchObject({
    value: 120,
    expected: 100,
    robustZ: expect.closeTo(4.4967, 4),
  });
  // Every seventh day, the tested one's weekday, has 50; of four weeks four sixths of the difference count: 100 − 4/6 · 50.
  const weekly = Array.from({ length: 28 }, (_, day) => (day % 7 === 0 ? 50 : 100));
  expect(testLastDay([...weekly, 50])?.expected).toBeCloseTo(100 - (4 / 6) * 50, 10);
});

test('fewer than 14 days, or a day without a value, yield no anomaly', () => {
  expect(testLastDay([...Array.from({ length: 13 }, () => 5), 50])).toBeUndefined();
  expect(testLastDay([...Array.from({ length: 20 }, () => 5), null])).toBeUndefined();
  expect(testLastDay([...Array.from({ length: 20 }, (_, day) => (day < 13 ? 5 : null)), 50])).toBeUndefined();
});

test('of usual days few are unusual, however short the history, and a day far out is', () => {
  // A sum of twelve uniform numbers is nearly normal. With one residual for the spread and the centre together it was one in ten.
  const noise = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 12, maxLength: 12 });
  const histories = fc.sample(fc.array(noise, { minLength: 29, maxLength: 29 }), { numRuns: 400, seed: 7 });
  const days = histories.map((history) =>
    history.map((parts) => 100 + 10 * (parts.reduce((a, b) => a + b, 0) - 6)),
  );
  const unusual = days.filter((values) => Math.abs(testLastDay(values)?.robustZ ?? 0) > 3.5).length;
  expect(unusual / days.length).toBeLessThan(0.03);
  const far = days.filter(
    (values) => (testLastDay([...values.slice(0, -1), 220])?.robustZ ?? 0) > 3.5,
  ).length;
  expect(far / days.length).toBeGreaterThan(0.97);
});

test('of many tests, only results beyond the threshold that their number does not explain are kept', () => {
  const found = (robustZ: number, probability: number) => ({ value: 1, expected: 1, robustZ, probability });
  // Of four, the smallest must be below 1/4 · 5 %, the two smallest below 2/4 · 5 %.
  const tests = [found(4, 0.001), found(-3.6, 0.02), found(2, 0.024), found(0.1, 0.9)];
  expect(controlled(tests)).toEqual([tests[0], tests[1]]);
  expect(controlled([found(4, 0.03), ...tests.slice(3), ...tests.slice(3)])).toEqual([]);
});
