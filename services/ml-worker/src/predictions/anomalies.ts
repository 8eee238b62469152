/** Days that differ from a campaign's usual course. */

export interface Anomaly {
  value: number;
  expected: number;
  robustZ: number;
  /** Of a value as unusual by chance. */
  probability: number;
}

const WEEK = 7;
const MIN_DAYS = 14;
const RECENT_DAYS = 56;
const THRESHOLD = 3.5;
/** Makes the median deviation an estimate of the standard deviation. */
const MAD_TO_SIGMA = 0.6745;
/** A series that hardly moves would make every small change unusual. */
const LEAST_SPREAD = 0.03;

/** Few weeks know a weekday badly: its difference counts by weeks / (weeks + this). */
const WEEKDAY_DOUBT = 2;

/**
 * The last day against the days before: its distance from its weekday's usual value, in median absolute deviations (Iglewicz and
 * Hoaglin 1993: unusual beyond 3.5). Each earlier day's deviation is taken from the expectation that the other days give: days that
 * contribute to the usual value lie closer to it than a new one, and would flag one in ten usual days of a short history.
 * `undefined` with fewer than 14 days, or where the day has no value.
 */
export function testLastDay(values: readonly (number | null)[]): Anomaly | undefined {
  const value = values.at(-1);
  const before = values
    .slice(-RECENT_DAYS - 1, -1)
    .map((each, index, all) => ({ each, weekday: (all.length - index) % WEEK }));
  const known = before.filter((day): day is Day => day.each !== null);
  if (value === null || value === undefined || known.length < MIN_DAYS) return undefined;
  const deviation = median(
    known.map((day) =>
      Math.abs(
        day.each -
          usual(
            known.filter((other) => other !== day),
            day.weekday,
          ),
      ),
    ),
  );
  const spread = Math.max(deviation, LEAST_SPREAD * Math.abs(median(known.map(({ each }) => each))));
  if (spread === 0) return undefined;
  const expected = usual(known, 0);
  const robustZ = (MAD_TO_SIGMA * (value - expected)) / spread;
  return { value, expected, robustZ, probability: twoSided(robustZ, known.length - WEEK) };
}

interface Day {
  each: number;
  /** Counted back from the tested day: 0 is its own. */
  weekday: number;
}

function usual(days: readonly Day[], weekday: number): number {
  const overall = median(days.map(({ each }) => each));
  const same = days.filter((day) => day.weekday === weekday).map(({ each }) => each);
  if (same.length === 0) return overall;
  return overall + (same.length / (same.length + WEEKDAY_DOUBT)) * (median(same) - overall);
}

/**
 * Which of many tests are significant when at most 5 % of the reported ones may be chance (Benjamini and Hochberg 1995), and that are
 * beyond the threshold by themselves.
 */
export function controlled<T extends Anomaly>(tests: readonly T[], rate = 0.05): T[] {
  const sorted = tests.toSorted((a, b) => a.probability - b.probability);
  let last = -1;
  for (const [index, { probability }] of sorted.entries())
    if (probability <= ((index + 1) / sorted.length) * rate) last = index;
  return sorted.slice(0, last + 1).filter(({ robustZ }) => Math.abs(robustZ) > THRESHOLD);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** Two-sided tail of Student's distribution, by the normal one (Wallace 1959). */
function twoSided(t: number, degrees: number): number {
  const z = ((8 * degrees + 1) / (8 * degrees + 3)) * Math.sqrt(degrees * Math.log1p((t * t) / degrees));
  return 2 * (1 - normalCumulative(z));
}

/** Abramowitz and Stegun 7.1.26, to 1.5e-7. */
export function normalCumulative(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const error =
    1 -
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) *
      t *
      Math.exp(-x * x);
  return z >= 0 ? (1 + error) / 2 : (1 - error) / 2;
}
