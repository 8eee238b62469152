/** `generate_forecast`: every campaign and the totals, written as one. The same day again replaces the day's forecast. */
import { withTenant } from '@stratum/shared';
import { addDays } from '@stratum/connectors/values';
import type { Pool, PoolClient } from 'pg';
import { METRICS, readHistories, type CampaignHistory, type Metric } from '../history.js';
import { isStopped, onPresentTerms, type Figures } from '../campaign-changes.js';
import {
  forecastSeries,
  pausedSeries,
  withIntervals,
  type ForecastDay,
  type SeriesForecast,
} from './forecast-series.js';
import { mean } from './models.js';

const HORIZON = 30;
/** The total of a tenant's campaigns in one currency. */
const TOTAL = 0;
/** What moves all campaigns, such as a market, stays for all days of an origin: a total's errors in it count as one. */
const TOTAL_PER_ORIGIN = 1;

type History = Omit<CampaignHistory, keyof Figures> & Figures;

interface NamedForecast extends SeriesForecast {
  campaignId: number;
  currency: string;
  metric: Metric;
  historyDays: number;
}

export interface ForecastJob {
  tenantId: number;
  campaignIds: readonly number[] | undefined;
  at: Date;
  signal: AbortSignal;
  onProgress: (done: number, total: number) => void;
}

export interface ForecastSummary {
  tenant_id: number;
  made_on: string;
  series: number;
  models: Record<string, number>;
  mase: number | null;
  naive_mase: number | null;
}

export async function forecastTenant(pool: Pool, job: ForecastJob): Promise<ForecastSummary> {
  const { tenantId, campaignIds, at } = job;
  const madeOn = at.toISOString().slice(0, 10);
  const histories = (await readHistories(pool, { tenantId, at, campaignIds })).map((history) => ({
    ...history,
    ...onPresentTerms(history, history.changes),
  }));
  const forecasts: NamedForecast[] = [];
  for (const [index, history] of histories.entries()) {
    job.signal.throwIfAborted();
    for (const metric of METRICS) {
      const { campaignId, currency, unknownDays } = history;
      const values = history[metric];
      if (values === null) continue;
      const ahead = unknownDays + HORIZON;
      const forecast = isStopped(history.status) ? pausedSeries(ahead) : forecastSeries(values, ahead);
      const days = forecast.days.slice(unknownDays);
      forecasts.push({ ...forecast, days, campaignId, currency, metric, historyDays: history.dates.length });
    }
    job.onProgress(index + 1, histories.length);
  }
  // The total of some campaigns is no total.
  const totals = campaignIds === undefined ? totalsOf(histories, forecasts) : [];
  await withTenant(pool, tenantId, (client) => write(client, madeOn, [...forecasts, ...totals]));
  const tested = forecasts.filter(({ mase }) => mase !== null);
  return {
    tenant_id: tenantId,
    made_on: madeOn,
    series: forecasts.length + totals.length,
    models: countBy(forecasts.map(({ model }) => model)),
    mase: tested.length === 0 ? null : mean(tested.map(({ mase }) => mase ?? 0)),
    naive_mase: tested.length === 0 ? null : mean(tested.map(({ naiveMase }) => naiveMase ?? 0)),
  };
}

/**
 * A total is the sum of its campaigns, so that the figures on one page add up. Its intervals are not sums: campaigns that are off in
 * different directions cancel out, so the errors of the sums are used, day by day of the past; where the campaigns were not tested over
 * the same days, the error of a forecast of their sum.
 */
function totalsOf(histories: readonly History[], forecasts: readonly NamedForecast[]): NamedForecast[] {
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

async function write(client: PoolClient, madeOn: string, forecasts: readonly NamedForecast[]): Promise<void> {
  const rows = forecasts.flatMap(({ campaignId, currency, metric, days }) =>
    days.map((day, index) => ({
      campaign_id: campaignId,
      currency,
      metric,
      date: addDays(madeOn, index),
      mean: day.mean,
      lower_80: day.lower80,
      upper_80: day.upper80,
      lower_95: day.lower95,
      upper_95: day.upper95,
    })),
  );
  await client.query(
    `INSERT INTO forecast (tenant_id, made_on, campaign_id, currency, metric, date, mean, lower_80, upper_80, lower_95, upper_95)
     SELECT current_tenant(), $1, row.* FROM jsonb_to_recordset($2::jsonb) AS row (campaign_id bigint, currency text, metric text, date date,
       mean float8, lower_80 float8, upper_80 float8, lower_95 float8, upper_95 float8)
     ON CONFLICT (tenant_id, campaign_id, currency, metric, made_on, date) DO UPDATE SET mean = excluded.mean, lower_80 = excluded.lower_80,
       upper_80 = excluded.upper_80, lower_95 = excluded.lower_95, upper_95 = excluded.upper_95`,
    [madeOn, JSON.stringify(rows)],
  );
  const accuracy = forecasts.map(
    ({ campaignId, currency, metric, model, mase, naiveMase, coverage95, origins, historyDays }) => ({
      campaign_id: campaignId,
      currency,
      metric,
      model: campaignId === TOTAL ? 'sum_of_campaigns' : model,
      mase,
      naive_mase: naiveMase,
      coverage_95: coverage95,
      origins,
      history_days: historyDays,
    }),
  );
  await client.query(
    `INSERT INTO forecast_accuracy (tenant_id, made_on, campaign_id, currency, metric, model, mase, naive_mase, coverage_95, origins, history_days)
     SELECT current_tenant(), $1, row.* FROM jsonb_to_recordset($2::jsonb) AS row (campaign_id bigint, currency text, metric text, model text,
       mase float8, naive_mase float8, coverage_95 float8, origins int, history_days int)
     ON CONFLICT (tenant_id, campaign_id, currency, metric, made_on) DO UPDATE SET model = excluded.model, mase = excluded.mase,
       naive_mase = excluded.naive_mase, coverage_95 = excluded.coverage_95, origins = excluded.origins, history_days = excluded.history_days`,
    [madeOn, JSON.stringify(accuracy)],
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
