/** Estimates that single odd days do not move. */

export const WEEK = 7;
/** Makes the median deviation an estimate of the standard deviation. */
export const MAD_TO_SIGMA = 1.4826;
/** Few weeks know a weekday badly: its difference counts by weeks / (weeks + this). */
export const WEEKDAY_DOUBT = 2;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

interface Day {
  value: number;
  /** Counted back from the last day: 0 is its own. */
  weekday: number;
}

/**
 * The distance of the last day from its usual value, by the spread of the days before; `undefined` without two weeks before it, or where
 * most days have nothing. */
export function lastDayDeviation(
  history: readonly number[],
  { days, leastSpread }: { days: number; leastSpread: number },
): { expected: number; deviation: number } | undefined {
  const last = history.at(-1);
  const before = history
    .slice(-days - 1, -1)
    .map((value, index, all) => ({ value, weekday: (all.length - index) % WEEK }));
  if (last === undefined || before.length < 2 * WEEK) return undefined;
  // Days that contribute to the usual value lie closer to it than a new one, so each is left out of its own.
  const residuals = before.map((day) =>
    Math.abs(
      day.value -
        usual(
          before.filter((other) => other !== day),
          day.weekday,
        ),
    ),
  );
  const level = median(before.map(({ value }) => value));
  const spread = Math.max(MAD_TO_SIGMA * median(residuals), leastSpread * level);
  if (spread === 0) return undefined;
  const expected = usual(before, 0);
  return { expected, deviation: (last - expected) / spread };
}

function usual(days: readonly Day[], weekday: number): number {
  const overall = median(days.map(({ value }) => value));
  const same = days.filter((day) => day.weekday === weekday).map(({ value }) => value);
  if (same.length === 0) return overall;
  return overall + (same.length / (same.length + WEEKDAY_DOUBT)) * (median(same) - overall);
}
