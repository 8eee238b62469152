/** Fatigue and daily scores where there are few conversions, or none. */
import { expect, test } from 'vitest';
import { fatigueOf, type Performance } from '../fatigue/fatigue.js';
import { binomialUpTo, revenueHasFallen, yieldHasFallen } from '../statistics.js';
import { dailyScoreOf, type CampaignDay } from './daily-score.js';

const usual: CampaignDay = {
  impressions: 10_000,
  clicks: 200,
  spend: 100,
  conversions: 10,
  revenue: 500,
  reach: 9_000,
};
const weekOf = (day: CampaignDay): CampaignDay & Performance => ({
  impressions: 7 * day.impressions,
  clicks: 7 * day.clicks,
  spend: 7 * day.spend,
  conversions: day.conversions === null ? null : 7 * day.conversions,
  revenue: day.revenue === null ? null : 7 * day.revenue,
  reach: null,
});
const withConversions = (conversions: number): CampaignDay => ({
  ...usual,
  conversions,
  revenue: 50 * conversions,
});
const fatigue = (day: CampaignDay, base = usual) =>
  fatigueOf({ day, baseline: weekOf(base), frequency: null, previous: null });
const score = (day: CampaignDay, base = usual) =>
  dailyScoreOf({ day, baseline: weekOf(base), baselineDays: 7, previous: null });

test('the fewer conversions, the more tired a creative and the worse a campaign; none is the worst', () => {
  const counts = [0, 1, 2, 3, 4, 6, 8, 10];
  const tiredness = counts.map((count) => fatigue(withConversions(count)).score ?? NaN);
  const scores = counts.map((count) => score(withConversions(count)).score ?? NaN);
  // 0.35 · 1 + 0.2 · 1; 0.35 · 0.9 + 0.2 · 1.
  expect(tiredness.slice(0, 2)).toEqual([expect.closeTo(0.55, 10), expect.closeTo(0.515, 10)]);
  expect(tiredness).toEqual(tiredness.toSorted((a, b) => b - a));
  // −(0.45 + 0.25 + 0.2) · 0.85; −(0.45 · 0.9 + 0.25 + 0.2 · 0.9) · 0.85.
  expect(scores.slice(0, 2)).toEqual([expect.closeTo(-0.765, 10), expect.closeTo(-0.70975, 10)]);
  expect(scores).toEqual(scores.toSorted((a, b) => a - b));
  expect(fatigue(withConversions(0)).evidence.cpa_rise).toBe(1);
});

test('a fall of the revenue counts at the same number of conversions, a fall that chance explains does not', () => {
  expect(fatigue({ ...usual, revenue: 50 }).evidence.roas_drop).toBeCloseTo(0.9, 10);
  expect(fatigue({ ...usual, revenue: 400 }).evidence.roas_drop).toBe(0);
  expect(fatigue({ ...usual, revenue: null }).evidence.roas_drop).toBeNull();
  expect(revenueHasFallen({ ...usual, revenue: 50 }, { ...usual, revenue: null })).toBe(false);
});

test('conversions that nobody knows are not none', () => {
  const unknown = { ...usual, conversions: null, revenue: null };
  expect(fatigue(unknown).evidence).toMatchObject({ cpa_rise: null, roas_drop: null });
  for (const [day, base] of [
    [unknown, usual],
    [usual, unknown],
  ] as const)
    expect(score(day, base)).toMatchObject({
      verdict: 'not_enough_data',
      reasons: ['its conversions are not known'],
    });
});

test.each([
  ['no conversions, none expected', withConversions(0), withConversions(0)],
  ['one where four were expected', withConversions(1), withConversions(4)],
  ['four where one was expected', withConversions(4), withConversions(1)],
])('there is no verdict on %s', (_name, day, base) => {
  expect(score(day, base)).toMatchObject({ verdict: 'not_enough_data', score: null });
});

test.each([
  [withConversions(0), withConversions(10)],
  [withConversions(1), withConversions(6)],
])('there is one where enough were expected', (day, base) => expect(score(day, base).verdict).toBe('fix'));

// R: binom.test(x, n, share, alternative = 'less')$p.value.
test.each([
  [4, 74, 0.125, 0.03757],
  [0, 10, 0.5, 0.0009766],
  [5, 10, 0.5, 0.623],
  [10, 10, 0.3, 1],
])('at most %i of %i at %d', (hits, trials, share, probability) => {
  expect(binomialUpTo(hits, trials, share)).toBeCloseTo(probability, 3);
});

test('conversions have fallen when the exact tail is at most 5 %', () => {
  for (let before = 0; before <= 60; before++) {
    for (let now = 0; now <= 12; now++) {
      const days = { now: { conversions: now, spend: 100 }, before: { conversions: before, spend: 700 } };
      let tail = 0;
      for (let hit = 0; hit <= now; hit++)
        tail += chosen(now + before, hit) * 0.125 ** hit * 0.875 ** (now + before - hit);
      expect(yieldHasFallen(days.now, days.before), `${now} and ${before}`).toBe(
        now + before > 0 && tail <= 0.05,
      );
    }
  }
});

function chosen(all: number, some: number): number {
  let ways = 1;
  for (let place = 1; place <= some; place++) ways = (ways * (all - some + place)) / place;
  return ways;
}
