/** Forecasts and predictions, through the threads that make them, against figures worked out on paper. */
import { forecastSeries, loadModels } from '@stratum/ml-worker';
import { DOMAIN_EVENT_DATA, generateDailyForecasts, generateForecast, runPredictions } from '@stratum/shared';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { spawnProgram, waitFor } from '../harness/index.js';
import { addCampaign, openPlatform, OTHER_TENANT, TENANT, type Platform } from '../harness/platform.js';

const at = (time: string): { scheduledBy: { entry: string; tick: Date } } => ({
  scheduledBy: { entry: 'test', tick: new Date(time) },
});
const NOON = at('2026-11-20T12:00:00Z');

/** The worker is a process of its own: its threads load what was built. */
async function openMl(): Promise<Platform> {
  const platform = await openPlatform();
  const { database, natsUrl, prefix } = platform;
  const env = { NATS_URL: natsUrl, DATABASE_URL: database.url, STRATUM_PREFIX: prefix };
  await spawnProgram('services/ml-worker/dist/main.js', env).ready();
  return platform;
}

/** Days up to 2026-11-19; `$day` counts back from there, 0 being the last. */
async function addHistory(
  { query }: Platform,
  campaignId: number,
  days: number,
  figures: { spend: string; revenue?: string; conversions?: string },
  tenantId = TENANT,
): Promise<void> {
  await query(
    `INSERT INTO campaign_metric_daily (tenant_id, campaign_id, date, currency, impressions, clicks, spend, revenue, conversions)
     SELECT $1, $2, date '2026-11-19' - day, 'USD', 1000, 10, ${figures.spend}, ${figures.revenue ?? '0'}, ${figures.conversions ?? '0'}
     FROM generate_series(0, $3::int - 1) AS day`,
    [tenantId, campaignId, days],
  );
}

describe('the forecast of a series', () => {
  beforeAll(() => loadModels());

  test('of a week that repeats is that week', () => {
    const week = [10, 20, 30, 40, 50, 60, 70];
    const { days, mase } = forecastSeries(
      Array.from({ length: 70 }, (_, day) => week[day % 7] ?? 0),
      14,
    );
    expect(days.map(({ mean }) => Math.round(mean * 1e6) / 1e6)).toEqual([...week, ...week]);
    expect(mase).toBeNull();
  });

  test('too short to test anything is the last week, with intervals from its steps', () => {
    const history = [10, 20, 30, 40, 50, 60, 70, 12, 22, 32];
    const { model, days, origins } = forecastSeries(history, 7);
    expect({ model, origins }).toEqual({ model: 'seasonal_naive', origins: 0 });
    expect(days.map(({ mean }) => mean)).toEqual([40, 50, 60, 70, 12, 22, 32]);
    // The three steps from week to week were 2 each: σ = 2, and for nine degrees of freedom Student's 2.262.
    expect(days[0]?.upper95).toBeCloseTo(40 + 2.262 * 2, 3);
  });

  test('is never worse than the naive one on its past, and its intervals hold each other', () => {
    const value = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true }));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 90 }), (history) => {
        const { days, mase, naiveMase } = forecastSeries(history, 10);
        expect(days).toHaveLength(10);
        for (const { lower95, lower80, mean, upper80, upper95 } of days) {
          expect([lower95, lower80, mean, upper80, upper95].every(Number.isFinite)).toBe(true);
          expect(
            lower95 >= 0 && lower95 <= lower80 && lower80 <= mean && mean <= upper80 && upper80 <= upper95,
          ).toBe(true);
        }
        if (mase !== null) expect(mase).toBeLessThanOrEqual(naiveMase ?? 0);
      }),
      { numRuns: 60 },
    );
  });
});

test('generate_forecast writes 30 days for each campaign and a total that is their sum', async () => {
  const platform = await openMl();
  const { run, query } = platform;
  await addCampaign(platform, { id: 1 });
  await addCampaign(platform, { id: 2 });
  await addCampaign(platform, { id: 3, tenantId: OTHER_TENANT });
  await addHistory(platform, 1, 84, {
    spend: '100 + 20 * (day % 7) + (day * 37 % 11)',
    revenue: '300 + day % 7',
    conversions: 'day % 3',
  });
  await addHistory(platform, 2, 60, { spend: '50 + (day * 53 % 17)', revenue: '80', conversions: '1' });
  await addHistory(platform, 3, 60, { spend: '1000000' }, OTHER_TENANT);
  const result = await run(generateForecast, { tenant_id: TENANT }, NOON);
  expect(result).toMatchObject({ tenant_id: TENANT, made_on: '2026-11-20', series: 9 });
  expect(result.mase ?? Infinity).toBeLessThanOrEqual(result.naive_mase ?? 0);
  const rows = await query<{ campaign_id: string; metric: string; date: string; mean: number }>(
    'SELECT tenant_id, campaign_id, metric, date::text, mean FROM forecast ORDER BY campaign_id, metric, date',
  );
  expect(rows).toHaveLength(3 * 3 * 30);
  expect(rows[0]).toMatchObject({ tenant_id: '1', campaign_id: '0', date: '2026-11-20' });
  const meanOf = (campaign: string, date: string): number =>
    rows.find((row) => row.campaign_id === campaign && row.metric === 'spend' && row.date === date)?.mean ??
    NaN;
  for (const date of ['2026-11-20', '2026-12-19'])
    expect(meanOf('0', date)).toBeCloseTo(meanOf('1', date) + meanOf('2', date), 6);
  const accuracy = await query<Record<string, unknown>>(
    `SELECT * FROM forecast_accuracy WHERE campaign_id = 1 AND metric = 'spend'`,
  );
  expect(accuracy[0]).toMatchObject({ history_days: 84, origins: 8 });
  await run(generateForecast, { tenant_id: TENANT, campaign_ids: [1] }, NOON);
  expect(await query('SELECT FROM forecast')).toHaveLength(3 * 3 * 30);
});

test('days that nobody has synced are unknown, not zero, and so are revenue and conversions that nobody reports', async () => {
  const platform = await openMl();
  const { run, query } = platform;
  await addCampaign(platform, { id: 1, dailyBudget: 10 });
  // The last figures are of the 15th; the account was last synced on the 16th.
  await addHistory(platform, 1, 60, { spend: '10', revenue: 'NULL::numeric', conversions: 'NULL::numeric' });
  await query(`DELETE FROM campaign_metric_daily WHERE date > '2026-11-15'`);
  await query(`UPDATE platform_account SET last_synced_at = '2026-11-16T09:00Z'`);
  expect(await run(generateForecast, { tenant_id: TENANT }, NOON)).toMatchObject({ series: 2 });
  expect(
    await query(
      'SELECT DISTINCT metric, round(mean::numeric, 6)::float8 AS mean FROM forecast ORDER BY metric',
    ),
  ).toEqual([{ metric: 'spend', mean: 10 }]);
  const [range] = await query('SELECT min(date)::text AS first, max(date)::text AS last FROM forecast');
  expect(range).toEqual({ first: '2026-11-20', last: '2026-12-19' });
  // 15 days at 10.00 are known; the four of which nothing is known are expected to be like them, and the eleven to come.
  await run(runPredictions, { tenant_id: TENANT }, NOON);
  expect(
    await query(
      'SELECT spent::float8, round(month_end_spend::numeric, 6)::float8 AS ends, elasticity, roas_at FROM prediction',
    ),
  ).toEqual([{ spent: 150, ends: 300, elasticity: null, roas_at: {} }]);
  // Neither is the silence an anomaly.
  expect(await query('SELECT FROM anomaly')).toEqual([]);
  // Once the account was synced, days without a row are days without activity.
  await query(`UPDATE platform_account SET last_synced_at = '2026-11-20T09:00Z'`);
  await run(runPredictions, { tenant_id: TENANT }, at('2026-11-20T12:30:00Z'));
  expect(await query('SELECT metric, date::text, value FROM anomaly')).toEqual([
    { metric: 'spend', date: '2026-11-19', value: 0 },
  ]);
});

test('a day is over when it is over where the ad account is', async () => {
  const platform = await openMl();
  const { run, query } = platform;
  await addCampaign(platform, { id: 1 });
  await addCampaign(platform, { id: 2, platform: 'google' });
  for (const id of [1, 2]) {
    await addHistory(platform, id, 42, { spend: '100 + day % 3' });
    // Of the 20th, a third of the usual: the day has begun.
    await query(
      `INSERT INTO campaign_metric_daily (tenant_id, campaign_id, date, currency, impressions, clicks, spend, conversions) VALUES (1, $1, '2026-11-20', 'USD', 1, 0, 33, 0)`,
      [id],
    );
  }
  await query(
    `UPDATE platform_account SET last_synced_at = '2026-11-21T02:50Z', time_zone = CASE platform WHEN 'meta' THEN 'America/New_York' ELSE 'Europe/Berlin' END`,
  );
  // In Berlin the 20th ended four hours ago and was a bad day; in New York it goes on for two hours more.
  await run(runPredictions, { tenant_id: TENANT }, at('2026-11-21T03:00:00Z'));
  const found = 'SELECT campaign_id, date::text, value FROM anomaly ORDER BY campaign_id';
  expect(await query(found)).toEqual([{ campaign_id: '2', date: '2026-11-20', value: 33 }]);
  // Neither does the unfinished day count as one of the history: all campaigns are forecast from the same day on.
  await run(generateForecast, { tenant_id: TENANT }, at('2026-11-21T03:00:00Z'));
  expect(
    await query(
      `SELECT campaign_id, history_days FROM forecast_accuracy WHERE metric = 'spend' AND campaign_id > 0 ORDER BY 1`,
    ),
  ).toEqual([
    { campaign_id: '1', history_days: 42 },
    { campaign_id: '2', history_days: 43 },
  ]);
  expect(
    await query(
      'SELECT DISTINCT campaign_id, min(date)::text AS first, max(date)::text AS last FROM forecast GROUP BY 1 ORDER BY 1',
    ),
  ).toEqual(['0', '1', '2'].map((id) => ({ campaign_id: id, first: '2026-11-21', last: '2026-12-20' })));
  await run(runPredictions, { tenant_id: TENANT }, at('2026-11-21T05:30:00Z'));
  expect(await query(found)).toHaveLength(2);
});

test('with two years of figures, Black Friday and holidays of the account are forecast', async () => {
  const platform = await openMl();
  const { run, query } = platform;
  await addCampaign(platform, { id: 1 });
  await addCampaign(platform, { id: 2, platform: 'google' });
  await query(
    `UPDATE platform_account SET time_zone = 'America/New_York', last_synced_at = '2026-11-20T09:00Z'`,
  );
  const usual = '100 + day % 5';
  const date = `(date '2026-11-19' - day)`;
  await addHistory(platform, 1, 900, {
    spend: `CASE WHEN ${date} IN ('2024-11-29', '2025-11-28') THEN 400 WHEN to_char(${date}, 'MM-DD') IN ('07-04', '12-25', '01-01') THEN 10 ELSE ${usual} END`,
  });
  await addHistory(platform, 2, 180, { spend: usual });
  expect(await run(generateForecast, { tenant_id: TENANT }, NOON)).toMatchObject({
    calendars: { holidays: 1 },
  });
  expect(
    await query(
      `SELECT campaign_id, calendar, history_days FROM forecast_accuracy WHERE metric = 'spend' AND campaign_id > 0 ORDER BY 1`,
    ),
  ).toEqual([
    { campaign_id: '1', calendar: 'holidays', history_days: 180 },
    { campaign_id: '2', calendar: null, history_days: 180 },
  ]);
  const days = await query<{ date: string; mean: number }>(
    `SELECT date::text, mean FROM forecast WHERE campaign_id = 1 AND metric = 'spend' AND date IN ('2026-11-25', '2026-11-27') ORDER BY 1`,
  );
  expect(days[0]?.mean).toBeGreaterThan(95);
  expect(days[0]?.mean).toBeLessThan(110);
  expect(days[1]?.mean).toBeGreaterThan(330);
  expect(days[1]?.mean).toBeLessThan(430);
});

test('the daily job forecasts each tenant', async () => {
  const { run, client } = await openMl();
  expect(await run(generateDailyForecasts, {}, NOON)).toEqual({ enqueued: 2 });
  const slot = Date.parse('2026-11-20T12:00:00Z');
  expect(await client.result(`generate_forecast-${slot}-1`)).toMatchObject({
    state: 'SUCCESS',
    result: { series: 0, mase: null },
  });
  expect(await client.result(`generate_forecast-${slot}-2`)).toMatchObject({ state: 'SUCCESS' });
});

describe('predictions', () => {
  test('add the rest of the month to the spend so far', async () => {
    const platform = await openMl();
    await addCampaign(platform, { id: 1, dailyBudget: 10 });
    await addCampaign(platform, { id: 2, dailyBudget: 20 });
    await addHistory(platform, 1, 60, { spend: '10' });
    await addHistory(platform, 2, 60, { spend: '10' });
    expect(await platform.run(runPredictions, { tenant_id: TENANT }, NOON)).toMatchObject({
      predicted: 2,
      anomalies: 0,
    });
    const rows = await platform.query(
      'SELECT campaign_id, spent::float8, month_end_spend, month_budget::float8, pacing, miss_probability FROM prediction ORDER BY 1',
    );
    // 19 days at 10.00 are spent, 11 are to come. The budgets of the month are 300 and 600; less than 90 % of it misses the target.
    expect(rows).toMatchObject([
      {
        campaign_id: '1',
        spent: 190,
        month_end_spend: 300,
        month_budget: 300,
        pacing: 1,
        miss_probability: expect.closeTo(0, 3),
      },
      {
        campaign_id: '2',
        spent: 190,
        month_end_spend: 300,
        month_budget: 600,
        pacing: 0.5,
        miss_probability: expect.closeTo(1, 3),
      },
    ]);
  });

  test('take known changes of budget and status for steps, and forecast what is paused as nothing', async () => {
    const platform = await openMl();
    const { query, run } = platform;
    for (const id of [1, 2, 3]) await addCampaign(platform, { id, dailyBudget: 100 });
    for (const id of [1, 3]) await addHistory(platform, id, 60, { spend: '100' });
    // Spent what it was given: 50 a day until its budget was doubled on the 18th.
    await addHistory(platform, 2, 60, { spend: 'CASE WHEN day >= 2 THEN 50 ELSE 100 END' });
    // The record is made by whoever changes the campaign, at the time of the sync that saw it.
    await query(`UPDATE campaign SET daily_budget = 50 WHERE id = 2`);
    await query(`DELETE FROM campaign_change`);
    await query(`UPDATE campaign SET daily_budget = 100, last_synced_at = '2026-11-18T09:00Z' WHERE id = 2`);
    await query(`UPDATE campaign SET status = 'paused', last_synced_at = '2026-11-20T01:00Z' WHERE id = 3`);
    await query(`UPDATE campaign SET name = 'Renamed'`);
    expect(
      await query(`SELECT campaign_id, status_after, budget_before::float8 FROM campaign_change ORDER BY 1`),
    ).toEqual([
      { campaign_id: '2', status_after: 'active', budget_before: 50 },
      { campaign_id: '3', status_after: 'paused', budget_before: 100 },
    ]);
    await run(generateForecast, { tenant_id: TENANT }, NOON);
    expect(
      await query(
        `SELECT campaign_id, round(sum(mean)) AS total FROM forecast WHERE metric = 'spend' GROUP BY 1 ORDER BY 1`,
      ),
    ).toEqual([
      { campaign_id: '0', total: 6_000 },
      { campaign_id: '1', total: 3_000 },
      { campaign_id: '2', total: 3_000 },
      { campaign_id: '3', total: 0 },
    ]);
    await run(runPredictions, { tenant_id: TENANT }, NOON);
    expect(
      await query(
        `SELECT campaign_id, round(month_end_spend) AS ends, month_budget::float8 AS budget FROM prediction ORDER BY 1`,
      ),
    ).toEqual([
      { campaign_id: '1', ends: 3_000, budget: 3_000 },
      { campaign_id: '2', ends: 17 * 50 + 13 * 100, budget: 17 * 50 + 13 * 100 },
      { campaign_id: '3', ends: 1_900, budget: 2_000 },
    ]);
  });

  test('move money to where more of it brings more, within the limit', async () => {
    const platform = await openMl();
    await addCampaign(platform, { id: 1 });
    await addCampaign(platform, { id: 2 });
    const spend = '(50 + 10 * (day % 10))::numeric';
    await addHistory(platform, 1, 70, { spend, revenue: `10 * sqrt(${spend})` });
    await addHistory(platform, 2, 70, { spend, revenue: `5 * sqrt(${spend})` });
    expect(await platform.run(runPredictions, { tenant_id: TENANT }, NOON)).toMatchObject({ shifted: 2 });
    const rows = await platform.query<{
      elasticity: number;
      suggested_budget: number;
      roas_at: Record<string, number>;
    }>('SELECT elasticity, suggested_budget, roas_at FROM prediction ORDER BY campaign_id');
    // Revenue is 10·√spend and 5·√spend. The last week cost 80 a day on average. The best split is 4 : 1, the limit 30 %.
    expect(rows[0]?.elasticity).toBeCloseTo(0.5, 3);
    expect(rows[0]?.suggested_budget).toBeCloseTo(104, 6);
    expect(rows[1]?.suggested_budget).toBeCloseTo(56, 6);
    expect(rows[0]?.roas_at['1']).toBeCloseTo(10 / Math.sqrt(80), 3);
    expect(rows[0]?.roas_at['2']).toBeCloseTo(10 / Math.sqrt(160), 3);
  });

  test('report an unusual day once, and its end', async () => {
    const platform = await openMl();
    const { query, run } = platform;
    await addCampaign(platform, { id: 1, name: 'Brand' });
    await addHistory(platform, 1, 42, { spend: 'CASE WHEN day = 0 THEN 200 ELSE 100 + day % 3 END' });
    expect(await run(runPredictions, { tenant_id: TENANT }, NOON)).toMatchObject({ anomalies: 1 });
    await run(runPredictions, { tenant_id: TENANT }, at('2026-11-20T12:30:00Z'));
    const anomalies = await query(
      'SELECT metric, date::text, value, robust_z > 3.5 AS beyond, confidence > 0.99 AS sure FROM anomaly',
    );
    expect(anomalies).toEqual([
      { metric: 'spend', date: '2026-11-19', value: 200, beyond: true, sure: true },
    ]);
    expect(await query('SELECT title, closed_at FROM alert')).toEqual([
      { title: 'Unusual spend of “Brand”', closed_at: null },
    ]);
    expect(await query('SELECT type FROM domain_event ORDER BY id')).toEqual([
      { type: 'alert.triggered' },
      { type: 'anomaly.detected' },
    ]);
    const [detected] = await query<{ data: unknown }>(
      `SELECT data FROM domain_event WHERE type = 'anomaly.detected'`,
    );
    expect(DOMAIN_EVENT_DATA['anomaly.detected'].strict().parse(detected?.data)).toMatchObject({
      campaign_id: 1,
      name: 'Brand',
      metric: 'spend',
      date: '2026-11-19',
      value: 200,
    });
    await query(
      `INSERT INTO campaign_metric_daily (tenant_id, campaign_id, date, currency, impressions, clicks, spend, conversions) VALUES (1, 1, '2026-11-20', 'USD', 1, 0, 101, 0)`,
    );
    expect(await run(runPredictions, { tenant_id: TENANT }, at('2026-11-21T00:30:00Z'))).toMatchObject({
      anomalies: 0,
    });
    await waitFor('the alert to be closed', async () => {
      const [alert] = await query<{ close_reason: string | null }>('SELECT close_reason FROM alert');
      return alert?.close_reason === 'back to usual';
    });
    expect(await query('SELECT FROM alert')).toHaveLength(1);
  });
});
