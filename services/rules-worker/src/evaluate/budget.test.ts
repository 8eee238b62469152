import fc from 'fast-check';
import { ruleDefinitionSchema } from '@stratum/shared/rules';
import { expect, test } from 'vitest';
import { targetBudget } from './budget.js';

type AdjustBudget = Parameters<typeof targetBudget>[0];

function adjust(action: Partial<AdjustBudget>): AdjustBudget {
  const [parsed] = ruleDefinitionSchema.parse({
    when: { logic: 'and', conditions: [{ fact: 'status', operator: 'equals', value: 'active' }] },
    actions: [{ kind: 'adjust_budget', ...action }],
  }).actions;
  if (parsed?.kind !== 'adjust_budget') throw new Error('no budget');
  return parsed;
}

test.each([
  // 100.00 + 20 %.
  ['raises', { percent: 20 }, { now: '100', dayAgo: '100' }, 'USD', '120.00'],
  // 33.33 + 10 % is 36.663.
  ['rounds to the cent', { percent: 10 }, { now: '33.33', dayAgo: '33.33' }, 'USD', '36.66'],
  // A yen has no cents; a dinar has a thousand fils.
  ['knows currencies without cents', { percent: 15 }, { now: '1001', dayAgo: '1001' }, 'JPY', '1151'],
  ['knows currencies with more', { percent: 10 }, { now: '1.005', dayAgo: '1.005' }, 'KWD', '1.106'],
  // Meta counts forints in whole ones, and dinars in hundredths.
  [
    'keeps to the units of the platform',
    { percent: 10 },
    { now: '333', dayAgo: '333', platform: 'meta' },
    'HUF',
    '366',
  ],
  [
    'keeps to the units of the platform',
    { percent: 10 },
    { now: '1.05', dayAgo: '1.05', platform: 'meta' },
    'KWD',
    '1.16',
  ],
  // 30 % above the budget a day ago: 130.00, though 10 % of 125.00 more would be 137.50.
  ['keeps to the step of a day', { percent: 10 }, { now: '125', dayAgo: '100' }, 'USD', '130.00'],
  ['sets an amount', { amount: 110 }, { now: '100', dayAgo: '100' }, 'USD', '110.00'],
  // Somebody has set 200.00 by hand: a rule that raises does not bring it down to the ceiling, nor to the step of the day.
  ['never lowers when it raises', { percent: 10, ceiling: 150 }, { now: '200', dayAgo: '100' }, 'USD', '200'],
  ['never raises when it lowers', { percent: -10, floor: 50 }, { now: '20', dayAgo: '20' }, 'USD', '20'],
  [
    'stays where the bounds leave no room',
    { percent: 10, floor: 500 },
    { now: '100', dayAgo: '100' },
    'USD',
    '100',
  ],
] as const)('a budget rule %s', (_name, action, state, currency, expected) => {
  expect(targetBudget(adjust(action), { currency, ...state })).toBe(expected);
});

test('a target lies within every bound and in the direction that was asked for', () => {
  const cents = fc.integer({ min: 100, max: 1_000_000 });
  const percent = fc.integer({ min: -90, max: 500 }).filter((value) => value !== 0);
  fc.assert(
    fc.property(cents, cents, percent, fc.option(cents), fc.option(cents), (now, dayAgo, by, low, high) => {
      fc.pre(low === null || high === null || low <= high);
      const bounds = {
        ...(low === null ? {} : { floor: low / 100 }),
        ...(high === null ? {} : { ceiling: high / 100 }),
      };
      const state = { currency: 'USD', now: String(now / 100), dayAgo: String(dayAgo / 100) };
      const target = Math.round(Number(targetBudget(adjust({ percent: by, ...bounds }), state)) * 100);
      if (target === now) return;
      expect(target > now).toBe(by > 0);
      expect(target).toBeGreaterThanOrEqual(Math.max(low ?? 1, Math.floor(dayAgo * 0.7)));
      expect(target).toBeLessThanOrEqual(Math.min(high ?? Infinity, Math.ceil(dayAgo * 1.3)));
    }),
  );
});
