/** How good forecasts are: on series whose truth is known, against the seasonal naive forecast of the same series. */
import { forecastSeries, loadModels } from '@stratum/ml-worker';

export interface ForecastFigures {
  series: number;
  mase: number;
  naiveMase: number;
  ratio: number;
  coverage95: number;
  coverage80: number;
  campaignsPerMinute: number;
  byKind: Record<string, { mase: number; naiveMase: number; coverage95: number }>;
}

const SEASON = 7;
const HISTORY = 120;
const HORIZON = 30;
const SERIES_PER_KIND = 60;
const METRICS_PER_CAMPAIGN = 3;
const WEEK = [0.86, 1.04, 1.06, 1.05, 1.03, 1.08, 0.88];

type Chance = () => number;

/** What daily figures of campaigns look like: `next` gives the value of a day. */
const KINDS: Readonly<Record<string, (chance: Chance) => (day: number) => number>> = {
  'steady week': (chance) => {
    const level = 50 + 500 * chance();
    return (day) => level * (WEEK[day % SEASON] ?? 1) * (1 + 0.1 * normal(chance));
  },
  'trend and week': (chance) => {
    const level = 100 + 400 * chance();
    const trend = (chance() - 0.4) * 0.006;
    return (day) => level * (1 + trend * day) * (WEEK[day % SEASON] ?? 1) * (1 + 0.12 * normal(chance));
  },
  'wandering level': (chance) => {
    let level = 200;
    return (day) => {
      level *= Math.exp(0.03 * normal(chance));
      return level * (WEEK[day % SEASON] ?? 1) * (1 + 0.08 * normal(chance));
    };
  },
  'few conversions': (chance) => {
    const rate = 0.1 + 1.5 * chance();
    return () => poisson(rate, chance);
  },
  'days of promotion': (chance) => {
    const level = 100 + 200 * chance();
    return (day) =>
      level * (WEEK[day % SEASON] ?? 1) * (chance() < 0.05 ? 2.5 : 1) * (1 + 0.1 * normal(chance));
  },
};

export async function benchForecast(): Promise<ForecastFigures> {
  await loadModels();
  const sums = { mase: 0, naive: 0, within95: 0, within80: 0, count: 0 };
  const byKind: ForecastFigures['byKind'] = {};
  let spentMs = 0;
  for (const [kind, make] of Object.entries(KINDS)) {
    const own = { mase: 0, naive: 0, within95: 0 };
    for (let index = 0; index < SERIES_PER_KIND; index++) {
      const next = make(randomFrom(`${kind}/${index}`));
      const values = Array.from({ length: HISTORY + HORIZON }, (_, day) => Math.max(0, next(day)));
      const history = values.slice(0, HISTORY);
      const truth = values.slice(HISTORY);
      const startedAt = performance.now();
      const { days } = forecastSeries(history, HORIZON);
      spentMs += performance.now() - startedAt;
      const scale =
        meanOf(history.slice(SEASON).map((value, day) => Math.abs(value - (history[day] ?? 0)))) || 1;
      own.mase += meanOf(truth.map((value, day) => Math.abs(value - (days[day]?.mean ?? 0)))) / scale;
      own.naive +=
        meanOf(
          truth.map((value, day) => Math.abs(value - (history[HISTORY - SEASON + (day % SEASON)] ?? 0))),
        ) / scale;
      own.within95 += meanOf(
        truth.map((value, day) =>
          value >= (days[day]?.lower95 ?? 0) && value <= (days[day]?.upper95 ?? 0) ? 1 : 0,
        ),
      );
      sums.within80 += meanOf(
        truth.map((value, day) =>
          value >= (days[day]?.lower80 ?? 0) && value <= (days[day]?.upper80 ?? 0) ? 1 : 0,
        ),
      );
    }
    byKind[kind] = {
      mase: own.mase / SERIES_PER_KIND,
      naiveMase: own.naive / SERIES_PER_KIND,
      coverage95: own.within95 / SERIES_PER_KIND,
    };
    sums.mase += own.mase;
    sums.naive += own.naive;
    sums.within95 += own.within95;
    sums.count += SERIES_PER_KIND;
  }
  return {
    series: sums.count,
    mase: sums.mase / sums.count,
    naiveMase: sums.naive / sums.count,
    ratio: sums.mase / sums.naive,
    coverage95: sums.within95 / sums.count,
    coverage80: sums.within80 / sums.count,
    campaignsPerMinute: (60_000 * sums.count) / METRICS_PER_CAMPAIGN / spentMs,
    byKind,
  };
}

/** The same numbers in every run (mulberry32). */
function randomFrom(seed: string): Chance {
  let state = 0;
  for (const char of seed) state = (Math.imul(state, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Box and Muller. */
function normal(chance: Chance): number {
  return Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
}

/** Knuth. */
function poisson(rate: number, chance: Chance): number {
  const limit = Math.exp(-rate);
  let count = 0;
  for (let product = chance(); product > limit; product *= chance()) count++;
  return count;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
