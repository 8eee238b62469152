/** Small pieces of statistics that several scores share. A figure that cannot be worked out is `null`, never zero. */

export function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

export function ratio(numerator: number | null, denominator: number | null): number | null {
  if (numerator === null || denominator === null || denominator === 0) return null;
  return numerator / denominator;
}

/** (now − before) / before. */
export function relativeChange(now: number | null, before: number | null): number | null {
  if (now === null || before === null || before === 0) return null;
  return (now - before) / before;
}

/** One-sided, at the 5 % level. */
const SIGNIFICANT_Z = 1.645;
const SIGNIFICANT_P = 0.05;

/** Whether a rate has fallen by more than chance explains: the pooled two-proportion z-test. */
export function rateHasFallen(
  now: { hits: number; trials: number },
  before: { hits: number; trials: number },
): boolean {
  if (now.trials === 0 || before.trials === 0) return false;
  const pooled = (now.hits + before.hits) / (now.trials + before.trials);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / now.trials + 1 / before.trials));
  if (error === 0) return false;
  return (before.hits / before.trials - now.hits / now.trials) / error > SIGNIFICANT_Z;
}

/** Above this sum the normal approximation is exact enough. */
const EXACT_UP_TO = 10_000;

/**
 * Whether there were fewer conversions for the money than chance explains: two Poisson rates, compared given their sum
 * (Przyborowski and Wilenski 1940), by the exact binomial tail. Parts of conversions are rounded.
 */
export function yieldHasFallen(
  now: { conversions: number | null; spend: number },
  before: { conversions: number | null; spend: number },
): boolean {
  if (now.conversions === null || before.conversions === null) return false;
  const few = Math.round(now.conversions);
  const all = few + Math.round(before.conversions);
  if (all === 0 || now.spend <= 0 || before.spend <= 0) return false;
  const share = now.spend / (now.spend + before.spend);
  if (all > EXACT_UP_TO) return (all * share - few) / Math.sqrt(all * share * (1 - share)) > SIGNIFICANT_Z;
  return binomialUpTo(few, all, share) <= SIGNIFICANT_P;
}

/** The probability of at most this number of hits. */
export function binomialUpTo(hits: number, trials: number, share: number): number {
  let log = trials * Math.log1p(-share);
  let sum = Math.exp(log);
  for (let hit = 0; hit < hits; hit++) {
    log += Math.log(((trials - hit) / (hit + 1)) * (share / (1 - share)));
    sum += Math.exp(log);
  }
  return Math.min(1, sum);
}

/** Orders differ in value about as much as exponential ones: the variance of a sum is twice that of its number, in squared values. */
const ORDER_VALUE_VARIANCE = 2;

/** Whether there was less revenue for the money than chance explains, by conversions of differing value (a compound Poisson sum). */
export function revenueHasFallen(
  now: { conversions: number | null; spend: number; revenue: number | null },
  before: { conversions: number | null; spend: number; revenue: number | null },
): boolean {
  if (now.conversions === null || before.conversions === null) return false;
  const conversions = now.conversions + before.conversions;
  if (now.revenue === null || before.revenue === null || conversions === 0) return false;
  if (now.spend <= 0 || before.spend <= 0) return false;
  const revenue = now.revenue + before.revenue;
  const share = now.spend / (now.spend + before.spend);
  const variance = ORDER_VALUE_VARIANCE * (revenue / conversions) * revenue * share * (1 - share);
  return variance > 0 && (revenue * share - now.revenue) / Math.sqrt(variance) > SIGNIFICANT_Z;
}
