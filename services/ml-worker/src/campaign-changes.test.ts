import { expect, test } from 'vitest';
import { onPresentTerms, type CampaignChange } from './campaign-changes.js';

const DATES = Array.from({ length: 40 }, (_, day) =>
  new Date(Date.UTC(2026, 9, 1 + day)).toISOString().slice(0, 10),
);
const date = (day: number): string => DATES[day] ?? '2026-11-10';
const WEEK = [80, 100, 110, 105, 100, 110, 95];
const usual = (day: number): number => WEEK[day % 7] ?? 0;

const change = (day: number, parts: Partial<CampaignChange>): CampaignChange => ({
  date: date(day),
  statusBefore: 'active',
  statusAfter: 'active',
  budgetBefore: 100,
  budgetAfter: 100,
  ...parts,
});
const spendOf = (spend: number[], changes: CampaignChange[]): readonly number[] =>
  onPresentTerms({ dates: DATES, spend, revenue: null, conversions: spend }, changes).spend;
const furthestFrom = (wanted: (day: number) => number, days: readonly number[]): number =>
  Math.max(...days.map((value, day) => Math.abs(value - wanted(day))));

test('without changes figures stay as they are', () => {
  const spend = DATES.map((_date, day) => usual(day));
  expect(spendOf(spend, [])).toEqual(spend);
});

test.each([
  ['doubled 5 days ago', 35, 200],
  ['doubled after the last day', 40, 200],
  ['halved 20 days ago', 20, 50],
])('a budget that was %s rescales the days before', (_name, day, budgetAfter) => {
  const factor = budgetAfter / 100;
  const spend = DATES.map((_date, each) => usual(each) * (each >= day ? factor : 1));
  expect(
    furthestFrom((each) => factor * usual(each), spendOf(spend, [change(day, { budgetAfter })])),
  ).toBeLessThan(1e-6);
});

test('the days since say how far spend has followed', () => {
  // Of a budget of 1,000 a tenth is used: doubling it changes nothing.
  const spend = DATES.map((_date, day) => usual(day));
  const free = change(30, { budgetBefore: 1_000, budgetAfter: 2_000 });
  expect(furthestFrom(usual, spendOf(spend, [free]))).toBeLessThan(1e-6);
  // Doubled, but half as much again was spent: after nine days that counts 9 to 2.
  const half = DATES.map((_date, day) => usual(day) * (day >= 30 ? 1.5 : 1));
  const seen = spendOf(half, [change(30, { budgetAfter: 200 })])[0] ?? 0;
  expect(seen / usual(0)).toBeCloseTo(1.5 ** (9 / 11) * 2 ** (2 / 11), 2);
});

test('several steps count one after the other, those of one day as one', () => {
  const spend = DATES.map((_date, day) => usual(day) * (day >= 30 ? 2 : day >= 20 ? 1.5 : 1));
  const steps = [
    change(20, { budgetAfter: 170 }),
    change(20, { budgetBefore: 170, budgetAfter: 150 }),
    change(30, { budgetBefore: 150, budgetAfter: 200 }),
  ];
  expect(furthestFrom((day) => 2 * usual(day), spendOf(spend, steps))).toBeLessThan(1e-6);
});

test('a pause is filled, and so are the days on which it began and ended', () => {
  const spend = DATES.map((_date, day) => (day > 30 && day < 38 ? 0 : usual(day) / (day === 30 ? 3 : 1)));
  const pause = [change(30, { statusAfter: 'paused' }), change(38, { statusBefore: 'paused' })];
  expect(furthestFrom(usual, spendOf(spend, pause))).toBeLessThan(1e-6);
  // One that is over before anything was spent again.
  const tail = DATES.map((_date, day) => (day >= 30 ? 0 : usual(day)));
  const resumed = change(40, { statusBefore: 'paused' });
  expect(furthestFrom(usual, spendOf(tail, [change(30, { statusAfter: 'paused' }), resumed]))).toBeLessThan(
    1e-6,
  );
});
