/**
 * Whether a rule holds for a campaign, and the values that it saw.
 *
 * Three-valued (Kleene): a condition over something that is not known is neither true nor false, and neither is its
 * negation. Otherwise "not (ROAS over 1)" would pause every campaign that has no data.
 */
import type { FactCondition, MetricCondition, RuleCondition, RuleTree } from '@stratum/shared/rules';
import { metricOf, type Campaign, type Figures } from './figures.js';

export interface Seen {
  what: string;
  value: number | string | string[] | null;
  /** `null`: unknown. */
  holds: boolean | null;
}

type Truth = boolean | null;

const DAY_MS = 86_400_000;

/** Evaluates all conditions, so that the log can show the value of each. */
export function evaluateTree(
  tree: RuleTree,
  campaign: Campaign,
  figures: Figures,
  now: Date,
  seen: Seen[],
): Truth {
  return combine(tree.logic, [
    ...tree.conditions.map((condition) => evaluate(condition, campaign, figures, now, seen)),
    ...tree.groups.map((group) => evaluateTree(group, campaign, figures, now, seen)),
  ]);
}

function combine(logic: RuleTree['logic'], parts: readonly Truth[]): Truth {
  if (logic === 'and') return parts.includes(false) ? false : parts.includes(null) ? null : true;
  const some = parts.includes(true) ? true : parts.includes(null) ? null : false;
  return logic === 'or' || some === null ? some : !some;
}

/** The same answer without the values, evaluating no more than needed: most rules do not hold for most campaigns. */
export function treeHolds(tree: RuleTree, campaign: Campaign, figures: Figures, now: Date): boolean {
  return quickTruth(tree, campaign, figures, now) === true;
}

function quickTruth(tree: RuleTree, campaign: Campaign, figures: Figures, now: Date): Truth {
  const decisive = tree.logic !== 'and';
  let isUnknown = false;
  for (const condition of tree.conditions) {
    const truth = evaluate(condition, campaign, figures, now, undefined);
    if (truth === decisive) return tree.logic !== 'not' && decisive;
    isUnknown ||= truth === null;
  }
  for (const group of tree.groups) {
    const truth = quickTruth(group, campaign, figures, now);
    if (truth === decisive) return tree.logic !== 'not' && decisive;
    isUnknown ||= truth === null;
  }
  if (isUnknown) return null;
  return tree.logic === 'not' || !decisive;
}

function evaluate(
  condition: RuleCondition,
  campaign: Campaign,
  figures: Figures,
  now: Date,
  seen: Seen[] | undefined,
): Truth {
  if ('metric' in condition) {
    const value = metricValue(condition, campaign, figures);
    const holds = value === null ? null : compareNumber(condition.operator, value, condition.value);
    seen?.push({ what: nameOf(condition), value, holds });
    return holds;
  }
  const value = factValue(condition, campaign, now);
  const holds = value === null ? null : compareFact(condition, value);
  seen?.push({ what: condition.fact, value, holds });
  return holds;
}

function nameOf({ metric, window, compare }: MetricCondition): string {
  return compare === 'value' ? `${metric} ${window}` : `${metric} ${window} change_pct`;
}

function metricValue(
  { metric, window, compare, min_impressions: floor }: MetricCondition,
  campaign: Campaign,
  figures: Figures,
): number | null {
  const sums = figures(campaign.id, window, false);
  if (sums === undefined || sums.impressions < floor) return null;
  const value = metricOf(metric, sums, campaign, window);
  if (compare === 'value' || value === null) return value;
  const before = metricOf(metric, figures(campaign.id, window, true), campaign, window);
  return before === null || before === 0 ? null : (100 * (value - before)) / before;
}

/** Two figures of money that are equal may differ in their last bits. */
const EPSILON = 1e-9;

function compareNumber(operator: FactCondition['operator'], value: number, wanted: unknown): boolean {
  const [low, high] = Array.isArray(wanted)
    ? [Number(wanted[0]), Number(wanted[1])]
    : [Number(wanted), Number(wanted)];
  const isEqual = Math.abs(value - low) <= EPSILON * Math.max(1, Math.abs(low));
  switch (operator) {
    case 'equals':
      return isEqual;
    case 'not_equals':
      return !isEqual;
    case 'gt':
      return value > low && !isEqual;
    case 'gte':
      return value >= low || isEqual;
    case 'lt':
      return value < low && !isEqual;
    case 'lte':
      return value <= low || isEqual;
    case 'between':
      return value >= low && value <= high;
    case 'in':
      return Array.isArray(wanted) && wanted.includes(value);
    case 'not_in':
      return Array.isArray(wanted) && !wanted.includes(value);
    case 'contains':
      return false;
  }
}

function factValue(
  { fact }: FactCondition,
  campaign: Campaign,
  now: Date,
): number | string | string[] | null {
  switch (fact) {
    case 'status':
      return campaign.status;
    case 'label':
      return campaign.labels;
    case 'daily_budget':
      return campaign.dailyBudget === null ? null : Number(campaign.dailyBudget);
    case 'days_since_launch':
      return campaign.startedAt === null
        ? null
        : Math.floor((now.getTime() - campaign.startedAt.getTime()) / DAY_MS);
  }
}

function compareFact({ operator, value: wanted }: FactCondition, value: number | string | string[]): boolean {
  if (typeof value === 'number') return compareNumber(operator, value, wanted);
  const values = Array.isArray(value) ? value : [value];
  const wantedTexts = (Array.isArray(wanted) ? wanted : [wanted]).map(String);
  switch (operator) {
    case 'equals':
    case 'in':
      return values.some((each) => wantedTexts.includes(each));
    case 'not_equals':
    case 'not_in':
      return !values.some((each) => wantedTexts.includes(each));
    case 'contains':
      return values.some((each) => each.includes(wantedTexts[0] ?? ''));
    default:
      return false;
  }
}
