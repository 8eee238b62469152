import { beforeAll, expect, test } from 'vitest';
import type { CampaignChange } from '../campaign-changes.js';
import { loadModels } from '../forecast/mstl.js';
import type { CampaignHistory } from '../history.js';
import { monthBudget, pacingOf } from './pacing.js';

const november = (day: number): string => `2026-11-${String(day).padStart(2, '0')}`;
const NOVEMBER = Array.from({ length: 30 }, (_, day) => november(day + 1));
const change = (day: number, parts: Partial<CampaignChange>): CampaignChange => ({
  date: november(day),
  statusBefore: 'active',
  statusAfter: 'active',
  budgetBefore: 100,
  budgetAfter: 100,
  ...parts,
});

function campaign(parts: Partial<CampaignHistory>, days = 80, until = 26): CampaignHistory {
  const dates = Array.from({ length: days }, (_, day) =>
    new Date(Date.UTC(2026, 10, until - days + day)).toISOString().slice(0, 10),
  );
  const spend = dates.map(() => 100);
  return {
    campaignId: 1,
    name: 'Campaign',
    status: 'active',
    currency: 'EUR',
    timeZone: 'Europe/Berlin',
    dailyBudget: 100,
    startedOn: null,
    changes: [],
    dates,
    unknownDays: 0,
    spend,
    revenue: null,
    conversions: spend,
    ...parts,
  };
}

beforeAll(() => loadModels());

test.each<[string, CampaignHistory, number | null]>([
  ['one that has always run', campaign({}), 3_000],
  ['a launch on the 16th', campaign({ startedOn: november(16) }, 10), 1_500],
  ['first figures on the 16th', campaign({}, 10), 1_500],
  ['one that began to spend late', campaign({ startedOn: november(11) }, 10), 2_000],
  [
    '50 until the 20th, 100 from then on',
    campaign({ changes: [change(20, { budgetBefore: 50 })] }),
    19 * 50 + 11 * 100,
  ],
  [
    'a change of the month before',
    campaign({ changes: [{ ...change(1, { budgetBefore: 50 }), date: '2026-10-20' }] }),
    3_000,
  ],
  [
    'paused from the 10th to the 15th',
    campaign({ changes: [change(10, { statusAfter: 'paused' }), change(15, { statusBefore: 'paused' })] }),
    26 * 100,
  ],
  [
    'paused since the 10th',
    campaign({ status: 'paused', changes: [change(10, { statusAfter: 'paused' })] }),
    1_000,
  ],
  ['no daily budget at first', campaign({ changes: [change(20, { budgetBefore: null })] }), null],
  ['no daily budget', campaign({ dailyBudget: null }), null],
])("the month's budget of %s", (_name, history, budget) => {
  expect(monthBudget(history, NOVEMBER)).toBe(budget);
});

test.each([4, 9, 15])(
  'a launch on the 16th that spends its budget misses nothing, seen on day %i of it',
  (days) => {
    const at = new Date(Date.UTC(2026, 10, 15 + days, 12));
    const history = campaign({ startedOn: november(16) }, days - 1, 15 + days);
    const { end, budget, missProbability } = pacingOf(history, at);
    expect({ end: Math.round(end), budget }).toEqual({ end: 1_500, budget: 1_500 });
    expect(missProbability).toBeLessThan(0.03);
  },
);

test.each([20, 22, 26])(
  'a budget raised from 50 to 100 on the 20th and spent exactly is met, on the %ith',
  (day) => {
    const history = campaign({ changes: [change(20, { budgetBefore: 50 })] }, 80, day);
    const spend = history.dates.map((date) => (date < november(20) ? 50 : 100));
    const { end, budget, missProbability } = pacingOf(
      { ...history, spend },
      new Date(`${november(day)}T12:00Z`),
    );
    expect(budget).toBe(2_050);
    expect(end / 2_050).toBeCloseTo(1, 1);
    expect(missProbability).toBeLessThan(0.01);
  },
);

test('a paused campaign ends where it is', () => {
  const history = campaign({ status: 'paused', changes: [change(10, { statusAfter: 'paused' })] });
  const spend = history.dates.map((date) => (date <= november(10) ? 100 : 0));
  expect(pacingOf({ ...history, spend }, new Date('2026-11-26T12:00Z'))).toMatchObject({
    spent: 1_000,
    end: 1_000,
    upper: 1_000,
    budget: 1_000,
    missProbability: 0,
  });
});
