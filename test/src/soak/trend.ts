/**
 * Whether a series grows: the median of the slopes between all pairs of samples (Theil 1950, Sen 1968), which a few outliers do not move, and
 * Kendall's rank correlation with time, which says whether the growth is steady.
 */

export interface Sample {
  /** Seconds since the begin. */
  at: number;
  value: number;
}

export interface Trend {
  /** Median of the first and of the last fifth. */
  first: number;
  last: number;
  /** By the slope, from the first sample to the last. */
  growth: number;
  /** From -1, always falling, to 1, always rising. */
  steadiness: number;
}

/** Collectors of garbage make steps: below this, a series goes up and down. */
const STEADY = 0.5;
const MAX_SAMPLES = 500;

/** @param samples at least five, in order of time */
export function trendOf(samples: readonly Sample[]): Trend {
  const step = Math.ceil(samples.length / MAX_SAMPLES);
  const thinned = samples.filter((_, index) => index % step === 0);
  const slopes: number[] = [];
  let signs = 0;
  for (const [index, a] of thinned.entries())
    for (const b of thinned.slice(index + 1)) {
      slopes.push((b.value - a.value) / (b.at - a.at));
      signs += Math.sign(b.value - a.value);
    }
  const seconds = (thinned.at(-1)?.at ?? 0) - (thinned[0]?.at ?? 0);
  const fifth = Math.max(1, Math.floor(thinned.length / 5));
  const values = thinned.map(({ value }) => value);
  return {
    first: medianOf(values.slice(0, fifth)),
    last: medianOf(values.slice(-fifth)),
    growth: medianOf(slopes) * seconds,
    steadiness: slopes.length === 0 ? 0 : signs / slopes.length,
  };
}

/** @param allowed growth over the whole time, in the series' unit */
export function isGrowing({ growth, steadiness }: Trend, allowed: number): boolean {
  return steadiness > STEADY && growth > allowed;
}

/** 0 of nothing. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
