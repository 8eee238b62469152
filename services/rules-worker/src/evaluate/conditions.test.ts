import fc from 'fast-check';
import { ruleDefinitionSchema, type RuleTree } from '@stratum/shared/rules';
import { expect, test } from 'vitest';
import { evaluateTree, treeHolds, type Seen } from './conditions.js';
import type { Campaign, Figures, Sums } from './figures.js';

const NOW = new Date('2026-11-20T12:00:00Z');

const campaigns: fc.Arbitrary<Campaign> = fc.record({
  id: fc.constant(1),
  name: fc.constant('Campaign'),
  platform: fc.constant('meta'),
  status: fc.constantFrom('active', 'paused'),
  labels: fc.subarray(['brand', 'seasonal']),
  dailyBudget: fc.constantFrom(null, '0', '50', '100'),
  currency: fc.constant('USD'),
  startedAt: fc.constantFrom(null, new Date('2026-11-01Z'), new Date('2026-11-18Z')),
  lastSyncedAt: fc.constant(NOW),
});

const some = fc.nat({ max: 3 });
const sums: fc.Arbitrary<Sums | undefined> = fc.option(
  fc.record({
    impressions: fc.constantFrom(0, 10, 1_000),
    clicks: some,
    spend: some,
    conversions: some,
    revenue: fc.option(some),
    reach: fc.option(some),
  }),
  { nil: undefined },
);

const number = fc.integer({ min: 0, max: 4 });
const conditions = fc.oneof(
  fc.record({
    metric: fc.constantFrom('spend', 'cpa', 'roas', 'ctr', 'frequency', 'budget_utilisation'),
    window: fc.constantFrom('yesterday', 'last_7_days'),
    compare: fc.constantFrom('value', 'change_pct'),
    operator: fc.constantFrom('equals', 'not_equals', 'gt', 'gte', 'lt', 'lte'),
    value: number,
    min_impressions: fc.constantFrom(0, 500),
  }),
  fc.record({
    fact: fc.constantFrom('days_since_launch', 'daily_budget'),
    operator: fc.constantFrom('gt', 'lte'),
    value: fc.constantFrom(5, 50),
  }),
  fc.record({
    fact: fc.constantFrom('status', 'label'),
    operator: fc.constantFrom('in', 'not_in'),
    value: fc.constant(['active', 'brand']),
  }),
);

const { tree: trees } = fc.letrec((tie) => ({
  tree: fc
    .record({
      logic: fc.constantFrom('and', 'or', 'not'),
      conditions: fc.array(conditions, { maxLength: 3 }),
      groups: fc.oneof({ maxDepth: 3 }, fc.constant([]), fc.array(tie('tree'), { maxLength: 2 })),
    })
    .filter((tree) => tree.conditions.length + tree.groups.length > 0),
}));

function parse(tree: unknown): RuleTree {
  return ruleDefinitionSchema.parse({ when: tree, actions: [{ kind: 'pause' }] }).when;
}

/** Kleene's logic once more, from the values that each condition saw, in their order. */
function truthOf(tree: RuleTree, seen: Seen[]): boolean | null {
  const parts = new Set([
    ...tree.conditions.map(() => seen.shift()?.holds ?? null),
    ...tree.groups.map((group) => truthOf(group, seen)),
  ]);
  if (tree.logic === 'and') return parts.has(false) ? false : parts.has(null) ? null : true;
  const any = parts.has(true) ? true : parts.has(null) ? null : false;
  return tree.logic === 'or' || any === null ? any : !any;
}

test('the quick evaluation and the full one agree, and both are three-valued', () => {
  fc.assert(
    fc.property(trees, campaigns, fc.array(sums, { minLength: 4, maxLength: 4 }), (raw, campaign, all) => {
      const tree = parse(raw);
      const figures: Figures = (_id, window, before) =>
        all[(window === 'yesterday' ? 0 : 2) + (before ? 1 : 0)];
      const seen: Seen[] = [];
      const full = evaluateTree(tree, campaign, figures, NOW, seen);
      expect(treeHolds(tree, campaign, figures, NOW)).toBe(full === true);
      expect(full).toBe(truthOf(tree, seen));
    }),
    { numRuns: 2_000 },
  );
});

test('an unknown condition holds neither by itself nor negated', () => {
  const campaign: Campaign = {
    id: 1,
    name: 'C',
    platform: 'meta',
    status: 'active',
    labels: [],
    dailyBudget: null,
    currency: 'USD',
    startedAt: null,
    lastSyncedAt: NOW,
  };
  const condition = { metric: 'roas', window: 'yesterday', operator: 'gt', value: 1 };
  const holds = (tree: unknown): boolean => treeHolds(parse(tree), campaign, () => undefined, NOW);
  expect(holds({ logic: 'and', conditions: [condition] })).toBe(false);
  expect(holds({ logic: 'not', conditions: [condition] })).toBe(false);
  expect(holds({ logic: 'not', groups: [{ logic: 'not', conditions: [condition] }] })).toBe(false);
  const known = { fact: 'status', operator: 'equals', value: 'active' };
  // True or unknown is true; false and unknown is false, and its negation true.
  expect(holds({ logic: 'or', conditions: [condition, known] })).toBe(true);
  const paused = { ...known, value: 'paused' };
  expect(holds({ logic: 'not', groups: [{ logic: 'and', conditions: [condition, paused] }] })).toBe(true);
});
