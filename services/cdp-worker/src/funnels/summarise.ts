/** A funnel's report, from the number of profiles that reached each step. */
import type { StepReport } from '@stratum/shared/customer-data';

export interface StepCount {
  profiles: number;
  medianSeconds: number | null;
}

export function reportOf(events: readonly string[], counts: readonly StepCount[]): StepReport[] {
  const first = counts[0]?.profiles ?? 0;
  return events.map((event, index) => {
    const { profiles = 0, medianSeconds = null } = counts[index] ?? {};
    const before = index === 0 ? profiles : (counts[index - 1]?.profiles ?? 0);
    return {
      step: index + 1,
      event,
      profiles,
      conversion: before === 0 ? null : profiles / before,
      overall: first === 0 ? null : profiles / first,
      interval: first === 0 ? null : wilson(profiles, first),
      dropped: profiles - (counts[index + 1]?.profiles ?? 0),
      median_seconds: medianSeconds,
    };
  });
}

const Z = 1.959963984540054;

/** The score interval of a proportion (Wilson 1927), at 95 %. */
function wilson(hits: number, trials: number): { low: number; high: number } {
  const share = hits / trials;
  const square = Z * Z;
  const centre = share + square / (2 * trials);
  const reach = Z * Math.sqrt((share * (1 - share)) / trials + square / (4 * trials * trials));
  const scale = 1 + square / trials;
  return { low: Math.max(0, (centre - reach) / scale), high: Math.min(1, (centre + reach) / scale) };
}
