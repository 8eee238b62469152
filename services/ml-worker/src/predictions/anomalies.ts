/** Days that differ from a campaign's usual course. */
import { anscombeResidual, countTails } from '../statistics/counts.js';
import { MAD_TO_SIGMA, median, WEEK, WEEKDAY_DOUBT } from '../statistics/robust.js';
import { studentWithin } from '../statistics/student.js';

export type AnomalyMetric = 'spend' | 'cpa' | 'roas';

export interface Anomaly {
  metric: AnomalyMetric;
  value: number;
  expected: number;
  /** Standard deviations from what is expected, as the series deviates otherwise. */
  robustZ: number;
  /** Of a value as unusual by chance. */
  probability: number;
  /** A day with spend and no conversion. */
  withoutConversion: boolean;
}

const MIN_DAYS = 14;
const RECENT_DAYS = 56;
/** Of a day's deviation this share becomes the new level: a step is usual after a few days. */
const LEVEL_SHARE = 0.4;
/** In standard deviations. */
const ODD_FROM = 3.5;
/** A series that hardly moves would make every small change unusual. On the scale of logarithms. */
const LEAST_SPREAD = 0.03;
/** Keeps the logarithm of a day of nothing finite: this share of the usual value is added. */
const OFFSET = 0.02;
/** A spread that is taken from the median deviation is as certain as one from this share of the days. */
const MEDIAN_EFFICIENCY = 0.37;

/**
 * The last day's spend against a local level of its logarithm, with weekdays. One-step errors of the past give the spread, by their
 * median, so that earlier odd days do not hide a new one. `undefined` with fewer than 14 days before it, or where nothing was spent.
 */
function testSpend(spend: readonly number[]): Anomaly | undefined {
  return testLevel('spend', spend.slice(-RECENT_DAYS - 1));
}

/** A mean of fewer orders says little about their value. */
const MIN_ORDERS = 5;

/**
 * Revenue given conversions: the mean value of an order against its local level. What conversions explain is not reported twice. Days of
 * fewer than five conversions do not count; `undefined` where the last one is such a day.
 */
function testOrderValue(revenue: readonly number[], conversions: readonly number[]): Anomaly | undefined {
  if ((conversions.at(-1) ?? 0) < MIN_ORDERS) return undefined;
  const days = revenue.flatMap((value, day) => {
    const count = conversions[day] ?? 0;
    return count >= MIN_ORDERS ? [value / count] : [];
  });
  return testLevel('roas', days.slice(-RECENT_DAYS - 1));
}

function testLevel(metric: 'spend' | 'roas', values: readonly number[]): Anomaly | undefined {
  // Days of few orders are left out, so that weekdays have no places.
  const hasWeek = metric === 'spend';
  const known = values.length - 1;
  const usual = median(values.slice(0, -1).filter((value) => value > 0));
  if (known < MIN_DAYS || !(usual > 0)) return undefined;
  const logs = values.map((value) => Math.log(value + OFFSET * usual));
  const pattern = hasWeek ? weekPattern(logs.slice(0, -1)) : [0, 0, 0, 0, 0, 0, 0];
  const flat = logs.map((value, day) => value - (pattern[day % WEEK] ?? 0));
  // The spread of the plain errors says which days are odd; those do not move the level, unless four in a row make a step.
  const limit =
    ODD_FROM *
    Math.max(
      LEAST_SPREAD,
      MAD_TO_SIGMA * median(oneStepErrors(flat, Infinity).slice(WEEK, -1).map(Math.abs)),
    );
  const errors = oneStepErrors(flat, limit);
  const last = errors.at(-1) ?? 0;
  // The first days only find the level.
  const past = errors.slice(WEEK, -1);
  const weeks = known / WEEK;
  // The weekdays' values were fitted to these days, and not to the new one.
  const fitted = hasWeek ? Math.sqrt((weeks + 1) / (weeks - 1)) : 1;
  const spread = Math.max(LEAST_SPREAD, fitted * MAD_TO_SIGMA * median(past.map(Math.abs)));
  const robustZ = last / spread;
  const degrees = Math.max(3, Math.floor(MEDIAN_EFFICIENCY * past.length));
  const expected = Math.exp((logs.at(-1) ?? 0) - last) - OFFSET * usual;
  return {
    metric,
    value: values.at(-1) ?? 0,
    expected: Math.max(0, expected),
    robustZ,
    probability: 1 - studentWithin(robustZ, degrees),
    withoutConversion: false,
  };
}

/** Of odd days in a row, the one that makes a step of them. */
const STEP_DAYS = 4;

/** From the level before, which follows usual days by a share of their errors, no single odd day, and a step at its fourth day. */
function oneStepErrors(values: readonly number[], limit: number): number[] {
  let level = median(values.slice(0, WEEK));
  let odd = 0;
  return values.map((value) => {
    const error = value - level;
    const isOdd = Math.abs(error) > limit;
    odd = isOdd ? (Math.sign(odd) === Math.sign(error) ? odd : 0) + Math.sign(error) : 0;
    if (!isOdd) level += LEVEL_SHARE * error;
    else if (Math.abs(odd) >= STEP_DAYS) level = value;
    return error;
  });
}

/** The difference of each weekday from the week around it, by the place in the week. */
function weekPattern(logs: readonly number[]): number[] {
  const differences = Array.from({ length: WEEK }, (): number[] => []);
  for (let day = 3; day < logs.length - 3; day++) {
    const around = logs.slice(day - 3, day + 4);
    differences[day % WEEK]?.push((logs[day] ?? 0) - median(around));
  }
  return differences.map(
    (own) => (own.length / (own.length + WEEKDAY_DOUBT)) * (own.length === 0 ? 0 : median(own)),
  );
}

/** Days of which a rate remembers half. */
const HALF_LIFE = 14;
/** One day cannot say more than this about how much counts vary. */
const LARGEST_SQUARE = 9;
/** Too few conversions matter more than too many: of the false alerts, this share may be of the first kind. */
const LOW_SHARE = 0.8;

/**
 * Conversions given the day's spend: quasi-Poisson, with a rate that remembers two weeks and a dispersion from its past one-step errors.
 * A day with spend and no conversion is no gap but the strongest sign. `value` and `expected` are costs per conversion, of a day
 * without one its spend. `undefined` without spend, or before conversions are known for 14 days.
 */
function testConversions(spend: readonly number[], conversions: readonly number[]): Anomaly | undefined {
  const days = spend
    .map((cost, day) => ({ cost, count: conversions[day] ?? 0 }))
    .slice(-RECENT_DAYS - 1)
    .filter(({ cost }) => cost > 0);
  const last = days.at(-1);
  if (last === undefined || (spend.at(-1) ?? 0) <= 0 || days.length <= MIN_DAYS) return undefined;
  const keep = 0.5 ** (1 / HALF_LIFE);
  let costs = 0;
  let counts = 0;
  let mean = 0;
  const squares: number[] = [];
  for (const [day, { cost, count }] of days.entries()) {
    if (day >= WEEK && counts > 0) {
      mean = (cost * counts) / costs;
      if (day < days.length - 1) {
        const variance = mean * (1 + mean / counts);
        squares.push(Math.min(LARGEST_SQUARE, (count - mean) ** 2 / variance));
      }
    }
    if (day < days.length - 1) {
      costs = costs * keep + cost;
      counts = counts * keep + count;
    }
  }
  if (mean <= 0 || squares.length < MIN_DAYS - WEEK) return undefined;
  const dispersion = Math.max(1, squares.reduce((a, b) => a + b, 0) / squares.length);
  // The rate itself is known from so many conversions only.
  const spread = dispersion * (1 + mean / counts);
  const { atMost, atLeast } = countTails(last.count, mean, spread);
  return {
    metric: 'cpa',
    value: last.count > 0 ? last.cost / last.count : last.cost,
    expected: last.cost / mean,
    robustZ: -anscombeResidual(last.count, mean) / Math.sqrt(spread),
    probability: Math.min(1, atMost / LOW_SHARE, atLeast / (1 - LOW_SHARE)),
    withoutConversion: last.count === 0,
  };
}

interface Days {
  spend: readonly number[];
  /** `null`: unknown, as revenue. */
  conversions: readonly number[] | null;
  revenue: readonly number[] | null;
}

/** All tests of the last day that its history allows. Of the ROAS `value` and `expected` are returns on its spend. */
export function testsOfLastDay({ spend, conversions, revenue }: Days): Anomaly[] {
  if (conversions === null) return [testSpend(spend)].filter((test) => test !== undefined);
  const orders = revenue === null ? undefined : testOrderValue(revenue, conversions);
  const perSpend = (conversions.at(-1) ?? 0) / (spend.at(-1) ?? 0);
  const roas = orders && {
    ...orders,
    value: orders.value * perSpend,
    expected: orders.expected * perSpend,
  };
  const returns = roas !== undefined && Number.isFinite(perSpend) ? roas : undefined;
  return [testSpend(spend), testConversions(spend, conversions), returns].filter(
    (test) => test !== undefined,
  );
}

/** A day without a conversion that chance brings less often than this is worth a note, if not an alert. */
const WORTH_A_NOTE = 0.06;

/** Days with spend and no conversion that are unlikely by themselves, if not among as many tests as there are. */
export function suspected<T extends Anomaly>(tests: readonly T[]): T[] {
  return tests.filter(
    ({ probability, withoutConversion }) => withoutConversion && probability <= WORTH_A_NOTE / LOW_SHARE,
  );
}

/** Which of many tests are significant when at most 5 % of the reported ones may be chance (Benjamini and Hochberg 1995). */
export function controlled<T extends Anomaly>(tests: readonly T[], rate = 0.05): T[] {
  const sorted = tests.toSorted((a, b) => a.probability - b.probability);
  let last = -1;
  for (const [index, { probability }] of sorted.entries())
    if (probability <= ((index + 1) / sorted.length) * rate) last = index;
  return sorted.slice(0, last + 1);
}
