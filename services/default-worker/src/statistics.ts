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

/**
 * Whether there were fewer conversions for the money than chance explains: two Poisson rates, compared given their sum
 * (Przyborowski and Wilenski 1940, normal approximation).
 */
export function yieldHasFallen(
  now: { conversions: number; spend: number },
  before: { conversions: number; spend: number },
): boolean {
  const conversions = now.conversions + before.conversions;
  const spend = now.spend + before.spend;
  if (conversions === 0 || now.spend <= 0 || before.spend <= 0) return false;
  const share = now.spend / spend;
  const error = Math.sqrt(conversions * share * (1 - share));
  return (conversions * share - now.conversions) / error > SIGNIFICANT_Z;
}
