/** Forecasts of all campaigns in one currency together. */
import { isStopped, type Figures } from '../campaign-changes.js';
import { METRICS, type CampaignHistory, type Metric } from '../history.js';
import { forecastSeries, withIntervals, type ForecastDay, type SeriesForecast } from './forecast-series.js';

export const HORIZON = 30;
/** The total of a tenant's campaigns in one currency. */
export const TOTAL = 0;
/** What moves all campaigns, such as a market, stays for all days of an origin: a total's errors in it count as one. */
const TOTAL_PER_ORIGIN = 1;

/** Figures on the terms that hold now. */
export type History = Omit<CampaignHistory, keyof Figures> & Figures;

export interface NamedForecast extends SeriesForecast {
  campaignId: number;
  currency: string;
  metric: Metric;
  historyDays: number;
}

/**
 * A total is the sum of its campaigns, so that the figures on one page add up. Its intervals are not sums: campaigns that are off in
 * different directions cancel out, so the errors of the sums are used, day by day of the past; where the campaigns were not tested over
 * the same days, the error of a forecast of their sum.
 */
export function totalsOf(
  histories: readonly History[],
  forecasts: readonly NamedForecast[],
): NamedForecast[] {
  const totals: NamedForecast[] = [];
  for (const currency of new Set(histories.map((history) => history.currency))) {
    for (const metric of METRICS) {
      const parts = forecasts.filter((each) => each.currency === currency && each.metric === metric);
      if (parts.length === 0) continue;
      const points = Array.from({ length: HORIZON }, (_, day) =>
        sum(parts.map(({ days }) => days[day]?.mean ?? 0)),
      );
      const own = histories.filter(
        (history) => history.currency === currency && history[metric] !== null && !isStopped(history.status),
      );
      const errors = isTestedTogether(own)
        ? sumOfErrors(parts)
        : forecastSeries(sumOf(own, metric), HORIZON).errors;
      const days =
        errors.length > 0
          ? withIntervals(points, errors, HORIZON, TOTAL_PER_ORIGIN)
          : independent(points, parts);
      totals.push({
        campaignId: TOTAL,
        currency,
        metric,
        model: 'combination',
        calendar: null,
        mase: null,
        naiveMase: null,
        coverage95: null,
        origins: errors.length,
        historyDays: Math.max(0, ...own.map(({ dates }) => dates.length)),
        days,
        errors,
      });
    }
  }
  return totals;
}

/** Histories of the same days are tested from the same origins, so that their errors can be added up. */
function isTestedTogether(histories: readonly History[]): boolean {
  return histories.every(
    ({ dates }) => dates[0] === histories[0]?.dates[0] && dates.length === histories[0]?.dates.length,
  );
}

/** Paused campaigns have no errors: they are certain to bring nothing. */
function sumOfErrors(parts: readonly NamedForecast[]): number[][] {
  const tested = parts.find(({ errors }) => errors.length > 0);
  return (tested?.errors ?? []).map((row, origin) =>
    row.map((_value, day) => sum(parts.map(({ errors }) => errors[origin]?.[day] ?? 0))),
  );
}

/** Their daily sums, for the days on which all of them are known. */
function sumOf(histories: readonly History[], metric: Metric): number[] {
  const sums = new Map<string, number>();
  for (const history of histories) {
    for (const [index, date] of history.dates.entries())
      sums.set(date, (sums.get(date) ?? 0) + (history[metric]?.[index] ?? 0));
  }
  const [until = ''] = histories.map(({ dates }) => dates.at(-1) ?? '').toSorted();
  return [...sums]
    .filter(([date]) => date <= until)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => value);
}

function independent(points: readonly number[], parts: readonly NamedForecast[]): ForecastDay[] {
  return points.map((point, day) => {
    const reach = (pick: (each: ForecastDay) => number): number =>
      Math.sqrt(sum(parts.map(({ days }) => (days[day] === undefined ? 0 : pick(days[day]) ** 2))));
    const at80 = reach(({ mean: middle, upper80 }) => upper80 - middle);
    const at95 = reach(({ mean: middle, upper95 }) => upper95 - middle);
    return {
      mean: point,
      lower80: Math.max(0, point - at80),
      upper80: point + at80,
      lower95: Math.max(0, point - at95),
      upper95: point + at95,
    };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
