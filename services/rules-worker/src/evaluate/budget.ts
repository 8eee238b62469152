/** The daily budget that a rule asks for, as an absolute amount: a step that is repeated would compound. */
import type { RuleAction } from '@stratum/shared/rules';
import { adPlatform } from '@stratum/connectors/ad-platforms';
import { decimalFromUnits, minorDigits, unitsFromDecimal } from '@stratum/connectors/values';

export interface BudgetState {
  currency: string;
  /** A platform may count in larger units than the currency has. Default: the currency's own. */
  platform?: string;
  /** Decimal text in major units. */
  now: string;
  /** The budget a day ago, before any rule changed it. */
  dayAgo: string;
}

/**
 * A decimal text; the same as now when the bounds leave no room. A rule that raises never lowers, and the other way round: where somebody
 * has moved the budget beyond a bound by hand, it stays.
 */
export function targetBudget(
  action: Extract<RuleAction, { kind: 'adjust_budget' }>,
  { currency, platform, now, dayAgo }: BudgetState,
): string {
  const digits = platform === undefined ? minorDigits(currency) : adPlatform(platform).budgetDigits(currency);
  const minor = (value: number): number => Math.round(value * 10 ** digits);
  const present = Number(unitsFromDecimal(now, 6)) / 10 ** (6 - digits);
  const before = Number(unitsFromDecimal(dayAgo, 6)) / 10 ** (6 - digits);
  const wanted =
    action.amount === undefined ? present * (1 + (action.percent ?? 0) / 100) : minor(action.amount);
  const reach = action.max_daily_percent / 100;
  const highest = Math.min(
    Math.floor(before * (1 + reach) + 1e-6),
    action.ceiling === undefined ? Infinity : minor(action.ceiling),
  );
  const lowest = Math.max(
    Math.ceil(before * (1 - reach) - 1e-6),
    action.floor === undefined ? 1 : minor(action.floor),
  );
  // Where floor and largest step leave no room, the budget stays.
  if (lowest > highest) return now;
  const target = Math.min(highest, Math.max(lowest, Math.round(wanted)));
  if (target > present !== wanted > present) return now;
  return decimalFromUnits(BigInt(target), digits);
}
