import { describe, expect, test } from 'vitest';
import { adMetrics } from './ads.js';
import type { DailyMetric } from './metrics.js';
import { addDays } from './model.js';
import { World } from './world.js';

const NOW = new Date('2026-11-24T12:00:00Z');
const open = (seed = 1): World => new World({ seed, now: () => NOW, campaignsPerAccount: 40 });

describe('the world of the sandbox', () => {
  test('gives the same data each time, and other data for another seed', () => {
    const story = (world: World): string =>
      JSON.stringify([...world.metrics(world.account('meta', '101'), '2026-11-01', '2026-11-24')]);
    expect(story(open())).toBe(story(open()));
    expect(story(open(2))).not.toBe(story(open()));
  });

  test('grows from day to day and keeps settled days', () => {
    const world = open();
    const account = world.account('google', '101');
    const settled = (): string => JSON.stringify([...world.metrics(account, '2026-11-01', '2026-11-19')]);
    const [before, daysBefore] = [settled(), [...world.metrics(account, '2026-11-01', '2026-12-31')].length];
    world.advance(3);
    expect(settled()).toBe(before);
    expect([...world.metrics(account, '2026-11-01', '2026-12-31')].length).toBeGreaterThan(daysBefore);
    expect(world.today()).toBe('2026-11-27');
  });

  test('restates recent conversions upwards while they are attributed', () => {
    const world = open();
    const account = world.account('meta', '101');
    const conversions = (): number =>
      [...world.metrics(account, '2026-11-23', '2026-11-23')].reduce(
        (sum, { metric }) => sum + metric.conversions,
        0,
      );
    const first = conversions();
    world.advance(4);
    expect(conversions()).toBeGreaterThan(first);
  });

  test('never spends more than the budget, nor counts more clicks than impressions', () => {
    const world = open();
    for (const { campaign, metric } of world.metrics(
      world.account('tiktok', '101'),
      '2025-01-01',
      '2026-11-24',
    )) {
      expect(metric.spendMinor).toBeLessThanOrEqual(campaign.dailyBudgetMinor);
      expect(metric.clicks).toBeLessThanOrEqual(metric.impressions);
      expect(metric.reach).toBeLessThanOrEqual(metric.impressions);
    }
  });

  test('has a week, and a high season in late November', () => {
    const world = open();
    const account = world.account('snapchat', '101');
    const spend = (since: string, count: number): number =>
      [...world.metrics(account, since, addDays(since, count - 1))]
        .filter(({ campaign }) => campaign.status === 'active' && campaign.startedOn < '2025-01-01')
        .reduce((sum, { metric }) => sum + metric.spendMinor, 0);
    expect(spend('2025-11-10', 28)).toBeGreaterThan(spend('2025-05-12', 28) * 1.1);
    // 2 November 2025 is a Sunday.
    expect(spend('2025-11-04', 1)).toBeGreaterThan(spend('2025-11-02', 1));
  });

  test('lets creatives tire and renews them', () => {
    const world = open();
    const account = world.account('meta', '101');
    const rate = (ageFrom: number, ageUntil: number): number => {
      let clicks = 0;
      let impressions = 0;
      for (const campaign of world.campaigns(account)) {
        const since = addDays(campaign.startedOn, ageFrom);
        for (const { metric } of world.metrics(account, since, addDays(campaign.startedOn, ageUntil), [
          campaign,
        ])) {
          clicks += metric.clicks;
          impressions += metric.impressions;
        }
      }
      return clicks / impressions;
    };
    expect(rate(28, 34)).toBeLessThan(rate(0, 6) * 0.85);
    expect(rate(35, 41)).toBeGreaterThan(rate(28, 34) * 1.15);
  });

  test('what the ads of a campaign have is what the campaign has', () => {
    const world = open();
    const account = world.account('meta', '101');
    for (const row of world.metricRows(account, '2026-10-20', '2026-11-24')) {
      const ads = adMetrics(row, world.today()).map(({ metric }) => metric);
      const sum = (field: keyof DailyMetric): number =>
        ads.reduce((total, metric) => total + metric[field], 0);
      for (const field of ['impressions', 'clicks', 'conversions', 'spendMinor', 'revenueMinor'] as const)
        expect(sum(field), field).toBe(row.metric[field]);
      for (const { clicks, impressions } of ads) expect(clicks).toBeLessThanOrEqual(impressions);
    }
  });

  test('an account in yen has no minor unit', () => {
    const world = open();
    expect(world.account('meta', '109')).toMatchObject({ currency: 'JPY', minorDigits: 0 });
    expect(world.account('meta', '107')).toMatchObject({ currency: 'KWD', minorDigits: 3 });
  });
});
