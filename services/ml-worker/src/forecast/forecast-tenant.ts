/** `generate_forecast`: every campaign and the totals, written as one. The same day again replaces the day's forecast. */
import { withTenant } from '@stratum/shared';
import { addDays } from '@stratum/connectors/values';
import type { Pool, PoolClient } from 'pg';
import { helpfulCalendar } from '../calendar/calendar.js';
import { HISTORY_DAYS, METRICS, readHistories } from '../history.js';
import { isStopped, onPresentTerms } from '../campaign-changes.js';
import { forecastSeries, pausedSeries } from './forecast-series.js';
import { mean } from './models.js';
import { HORIZON, TOTAL, totalsOf, type History, type NamedForecast } from './totals.js';

/** For the calendar; models see the last of them. */
const CALENDAR_HISTORY_DAYS = 3 * 366;

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
  /** Series that follow holidays, or holidays and the course of the year. */
  calendars: Record<string, number>;
  mase: number | null;
  naive_mase: number | null;
}

export async function forecastTenant(pool: Pool, job: ForecastJob): Promise<ForecastSummary> {
  const { tenantId, campaignIds, at } = job;
  const madeOn = at.toISOString().slice(0, 10);
  const read = await readHistories(pool, { tenantId, at, campaignIds, days: CALENDAR_HISTORY_DAYS });
  const whole = read.map((history) => ({ ...history, ...onPresentTerms(history, history.changes) }));
  const histories = whole.map((history) => since(addDays(madeOn, -HISTORY_DAYS), history));
  const forecasts: NamedForecast[] = [];
  for (const [index, history] of histories.entries()) {
    job.signal.throwIfAborted();
    for (const metric of METRICS) {
      const { campaignId, currency, unknownDays } = history;
      const values = history[metric];
      const long = whole[index]?.[metric];
      if (!values || !long) continue;
      const ahead = unknownDays + HORIZON;
      const forecast = isStopped(history.status)
        ? pausedSeries(ahead)
        : forecastSeries(values, ahead, calendarOf(history, long, ahead));
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
    calendars: countBy(forecasts.flatMap(({ calendar }) => calendar ?? [])),
    mase: tested.length === 0 ? null : mean(tested.map(({ mase }) => mase ?? 0)),
    naive_mase: tested.length === 0 ? null : mean(tested.map(({ naiveMase }) => naiveMase ?? 0)),
  };
}

function since(first: string, history: History): History {
  const from = history.dates.findIndex((date) => date >= first);
  return {
    ...history,
    dates: history.dates.slice(from),
    spend: history.spend.slice(from),
    revenue: history.revenue?.slice(from) ?? null,
    conversions: history.conversions?.slice(from) ?? null,
  };
}

function calendarOf({ dates, timeZone }: History, values: readonly number[], horizon: number) {
  return helpfulCalendar(values, { lastDate: dates.at(-1) ?? '', timeZone, horizon });
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
    ({
      campaignId,
      currency,
      metric,
      model,
      calendar,
      mase,
      naiveMase,
      coverage95,
      origins,
      historyDays,
    }) => ({
      campaign_id: campaignId,
      currency,
      metric,
      model: campaignId === TOTAL ? 'sum_of_campaigns' : model,
      calendar,
      mase,
      naive_mase: naiveMase,
      coverage_95: coverage95,
      origins,
      history_days: historyDays,
    }),
  );
  await client.query(
    `INSERT INTO forecast_accuracy (tenant_id, made_on, campaign_id, currency, metric, model, calendar, mase, naive_mase, coverage_95, origins, history_days)
     SELECT current_tenant(), $1, row.* FROM jsonb_to_recordset($2::jsonb) AS row (campaign_id bigint, currency text, metric text, model text, calendar text,
       mase float8, naive_mase float8, coverage_95 float8, origins int, history_days int)
     ON CONFLICT (tenant_id, campaign_id, currency, metric, made_on) DO UPDATE SET model = excluded.model, calendar = excluded.calendar, mase = excluded.mase,
       naive_mase = excluded.naive_mase, coverage_95 = excluded.coverage_95, origins = excluded.origins, history_days = excluded.history_days`,
    [madeOn, JSON.stringify(accuracy)],
  );
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
