import { expect, test } from 'vitest';
import { anscombeResidual, countTails } from '../statistics/counts.js';
import { controlled, suspected, testsOfLastDay, type Anomaly } from './anomalies.js';

const WEEK = [86, 104, 106, 105, 103, 108, 88];
/** About 100 a day with the shape of a week and deviations that repeat after 23 days. */
const SPEND = Array.from({ length: 70 }, (_, day) => (WEEK[day % 7] ?? 0) + ((day * 5) % 23) - 11);
const CONVERSIONS = SPEND.map((spend, day) => Math.round(spend / 10) + ((day * 7) % 5) - 2);
const REVENUE = CONVERSIONS.map((count, day) => count * (48 + ((day * 3) % 7)));

const testOf = (metric: Anomaly['metric'], parts: Partial<Parameters<typeof testsOfLastDay>[0]>) =>
  testsOfLastDay({ spend: SPEND, conversions: CONVERSIONS, revenue: REVENUE, ...parts }).find(
    (each) => each.metric === metric,
  );
const ending = (values: readonly number[], ...last: number[]): number[] => [
  ...values.slice(0, values.length - last.length),
  ...last,
];

test('a usual day is usual', () => {
  for (const metric of ['spend', 'cpa', 'roas'] as const)
    expect(testOf(metric, {})?.probability, metric).toBeGreaterThan(0.01);
});

test.each<[string, Anomaly['metric'], Parameters<typeof testOf>[1], 1 | -1]>([
  ['twice the spend', 'spend', { spend: ending(SPEND, 200) }, 1],
  ['no spend', 'spend', { spend: ending(SPEND, 0) }, -1],
  ['no conversion', 'cpa', { conversions: ending(CONVERSIONS, 0) }, 1],
  ['a third of the conversions', 'cpa', { conversions: ending(CONVERSIONS, 2) }, 1],
  ['three times the conversions', 'cpa', { conversions: ending(CONVERSIONS, 30) }, -1],
  ['a revenue of nothing', 'roas', { revenue: ending(REVENUE, 0) }, -1],
])('%s is unusual', (_name, metric, parts, sign) => {
  const found = testOf(metric, parts);
  expect(found?.probability).toBeLessThan(0.03);
  expect(Math.sign(found?.robustZ ?? 0)).toBe(sign);
});

test('what a day without conversions costs is its value, and the cost of one what was expected', () => {
  const spend = SPEND.map(() => 100);
  const conversions = ending(
    SPEND.map(() => 10),
    0,
  );
  const found = testsOfLastDay({ spend, conversions, revenue: null }).find(({ metric }) => metric === 'cpa');
  expect(found).toMatchObject({ value: 100, expected: expect.closeTo(10, 6), withoutConversion: true });
});

test('a step that lasts is usual after a few days', () => {
  const after = (days: number) =>
    testOf('spend', { spend: SPEND.map((spend, day) => (day >= 70 - days ? 2 : 1) * spend) });
  expect(after(1)?.probability).toBeLessThan(0.001);
  expect(after(6)?.probability).toBeGreaterThan(0.005);
});

test('the day after an odd one is usual', () => {
  const spend = SPEND.map(() => 100);
  const after = testsOfLastDay({ spend: ending(spend, 300, 100), conversions: [], revenue: null });
  expect(after).toEqual([
    expect.objectContaining({ expected: expect.closeTo(100, 6), probability: expect.closeTo(1, 6) }),
  ]);
});

test('what spend explains is no anomaly of conversions, nor what conversions explain one of revenue', () => {
  const half = {
    spend: ending(SPEND, 44),
    conversions: ending(CONVERSIONS, 4),
    revenue: ending(REVENUE, 200),
  };
  expect(testOf('cpa', half)?.probability).toBeGreaterThan(0.1);
  expect(testOf('roas', half)).toBeUndefined();
});

test.each([
  ['fewer than 14 days', SPEND.slice(0, 14), CONVERSIONS.slice(0, 14)],
  ['days of nothing', SPEND.map(() => 0), SPEND.map(() => 0)],
])('%s yield no test', (_name, spend, conversions) => {
  expect(testsOfLastDay({ spend, conversions, revenue: null })).toEqual([]);
});

// R: ppois(3, 10); pnbinom(3, size = 10, mu = 10), a variance of twice the mean.
test.each([
  [3, 10, 1, 0.010336],
  [0, 7, 1, Math.exp(-7)],
  [3, 10, 2, 0.046143],
  [0, 7, 2, 2 ** -7],
])('the tails of %i at a mean of %d and a dispersion of %d', (count, mean, dispersion, atMost) => {
  const tails = countTails(count, mean, dispersion);
  expect(tails.atMost).toBeCloseTo(atMost, 5);
  expect(tails.atLeast).toBeCloseTo(
    1 - (count === 0 ? 0 : countTails(count - 1, mean, dispersion).atMost),
    9,
  );
});

test('the residual of a count without any is three halves of the root of its mean', () => {
  expect(anscombeResidual(0, 9)).toBeCloseTo(-4.5, 9);
  expect(anscombeResidual(9, 9)).toBe(0);
});

const anomaly = (probability: number, withoutConversion = false): Anomaly => ({
  metric: 'cpa',
  value: 1,
  expected: 1,
  robustZ: 1,
  probability,
  withoutConversion,
});

test('of many tests, only results that their number does not explain are kept', () => {
  // Of four, the smallest must be below 1/4 · 5 %, the two smallest below 2/4 · 5 %.
  const tests = [anomaly(0.001), anomaly(0.02), anomaly(0.04), anomaly(0.9)];
  expect(controlled(tests)).toEqual(tests.slice(0, 2));
  expect(controlled([anomaly(0.03), anomaly(0.9), anomaly(0.9)])).toEqual([]);
});

test('unlikely days without a conversion are noted besides', () => {
  const [noted, usual] = [anomaly(0.07, true), anomaly(0.3, true)];
  expect(suspected([noted, usual, anomaly(0.001)])).toEqual([noted]);
});
