/** How good forecasts are: on series whose truth is known, against the seasonal naive forecast of the same series. */
import { addDays } from '@stratum/connectors/values';
import { forecastSeries, helpfulCalendar, loadModels } from '@stratum/ml-worker';
import { normal, poisson, randomFrom, type Chance } from './chance.js';
import { realSeries } from './real-series.js';

/** Means over series. */
export interface Accuracy {
  /** Mean absolute scaled error: against the step from week to week. */
  mase: number;
  naiveMase: number;
  /** In per cent. */
  smape: number;
  coverage80: number;
  coverage95: number;
  /** Width of the 95 % interval and 40 times what lies outside (Gneiting and Raftery 2007), scaled like MASE. */
  intervalScore95: number;
}

export interface ForecastFigures extends Accuracy {
  series: number;
  ratio: number;
  campaignsPerMinute: number;
  byKind: Record<string, Accuracy>;
  /** By package; empty where they cannot be fetched. */
  real: Record<string, Accuracy & { origins: number }>;
}

const SEASON = 7;
const HISTORY = 120;
const HORIZON = 30;
const SERIES_PER_KIND = 60;
const METRICS_PER_CAMPAIGN = 3;
const WEEK = [0.86, 1.04, 1.06, 1.05, 1.03, 1.08, 0.88];

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

export async function benchForecast(
  cacheDir: string,
  say: (message: string) => void,
): Promise<ForecastFigures> {
  await loadModels();
  const all: Accuracy[] = [];
  const byKind: ForecastFigures['byKind'] = {};
  let spentMs = 0;
  for (const [kind, make] of Object.entries(KINDS)) {
    const own: Accuracy[] = [];
    for (let index = 0; index < SERIES_PER_KIND; index++) {
      const next = make(randomFrom(`${kind}/${index}`));
      const values = Array.from({ length: HISTORY + HORIZON }, (_, day) => Math.max(0, next(day)));
      const startedAt = performance.now();
      own.push(accuracyOf(values.slice(0, HISTORY), values.slice(HISTORY)));
      spentMs += performance.now() - startedAt;
    }
    byKind[kind] = meanAccuracy(own);
    all.push(...own);
  }
  const total = meanAccuracy(all);
  return {
    ...total,
    series: all.length,
    ratio: total.mase / total.naiveMase,
    campaignsPerMinute: (60_000 * all.length) / METRICS_PER_CAMPAIGN / spentMs,
    byKind,
    real: await benchReal(cacheDir, say),
  };
}

/** As the product does it: half a year of history, from origins that are spread over the series. */
const REAL_HISTORY = 180;
const REAL_ORIGINS = 40;
/** The calendar wants two years; fewer origins, because each takes half a second. */
const CALENDAR_HISTORY = 900;
const CALENDAR_ORIGINS = 17;
const TIME_ZONE = 'America/New_York';

async function benchReal(cacheDir: string, say: (message: string) => void): Promise<ForecastFigures['real']> {
  const real: ForecastFigures['real'] = {};
  const fetched = await realSeries(cacheDir).catch((error: unknown) => {
    say(`The real series cannot be fetched: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  });
  for (const { name, values, firstDate } of fetched) {
    real[name] = fromOrigins(values, { least: REAL_HISTORY, count: REAL_ORIGINS });
    const years = { least: CALENDAR_HISTORY, count: CALENDAR_ORIGINS };
    real[`${name}, where two years are known`] = fromOrigins(values, years);
    real[`${name}, with the calendar`] = fromOrigins(values, years, (origin) =>
      helpfulCalendar(values.slice(origin - CALENDAR_HISTORY, origin), {
        lastDate: addDays(firstDate, origin - 1),
        timeZone: TIME_ZONE,
        horizon: HORIZON,
      }),
    );
  }
  return real;
}

function fromOrigins(
  values: readonly number[],
  { least, count }: { least: number; count: number },
  calendarAt: (origin: number) => ReturnType<typeof helpfulCalendar> = () => undefined,
): Accuracy & { origins: number } {
  const step = Math.floor((values.length - least - HORIZON) / (count - 1));
  const own = Array.from({ length: count }, (_, index) => {
    const origin = least + index * step;
    const history = values.slice(origin - REAL_HISTORY, origin);
    return accuracyOf(history, values.slice(origin, origin + HORIZON), calendarAt(origin));
  });
  return { ...meanAccuracy(own), origins: count };
}

function accuracyOf(
  history: readonly number[],
  truth: readonly number[],
  calendar?: ReturnType<typeof helpfulCalendar>,
): Accuracy {
  const { days } = forecastSeries(history, HORIZON, calendar);
  const scale = meanOf(history.slice(SEASON).map((value, day) => Math.abs(value - (history[day] ?? 0)))) || 1;
  const each = truth.map((value, day) => {
    const { mean = 0, lower80 = 0, upper80 = 0, lower95 = 0, upper95 = 0 } = days[day] ?? {};
    const naive = history[history.length - SEASON + (day % SEASON)] ?? 0;
    const outside = Math.max(0, lower95 - value, value - upper95);
    return {
      mase: Math.abs(value - mean) / scale,
      naiveMase: Math.abs(value - naive) / scale,
      smape: value + mean === 0 ? 0 : (200 * Math.abs(value - mean)) / (value + mean),
      coverage80: value >= lower80 && value <= upper80 ? 1 : 0,
      coverage95: outside === 0 ? 1 : 0,
      intervalScore95: (upper95 - lower95 + (2 / 0.05) * outside) / scale,
    };
  });
  return meanAccuracy(each);
}

function meanAccuracy(all: readonly Accuracy[]): Accuracy {
  const of = (figure: keyof Accuracy): number => meanOf(all.map((each) => each[figure]));
  return {
    mase: of('mase'),
    naiveMase: of('naiveMase'),
    smape: of('smape'),
    coverage80: of('coverage80'),
    coverage95: of('coverage95'),
    intervalScore95: of('intervalScore95'),
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
