/** The jobs of the default queue, each against an example worked out on paper. */
import { appendAuditEvents, createDefaultHandlers } from '@stratum/default-worker';
import { verifyAudit, type ChainReport } from '@stratum/cli/audit';
import { WhatsAppClient } from '@stratum/connectors/whatsapp';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import {
  allocateTenantCosts,
  auditNames,
  calculateCostAllocation,
  calculateDailyScores,
  calculateFatigueScores,
  calculateTenantFatigue,
  calculateTenantScores,
  calculateUsageRollup,
  checkPipelineHealth,
  checkTenantPipeline,
  derivedTaskId,
  ensureAuditStream,
  parseKeyRing,
  processAuditLogs,
  publishAudit,
  withTenant,
  type NewAuditEvent,
} from '@stratum/shared';
import { readAnchors } from '@stratum/shared/audit';
import { describe, expect, test } from 'vitest';
import { SafeFetch } from '@stratum/connectors/safe-fetch';
import { testKeyText, waitFor } from '../harness/index.js';
import {
  addCampaign,
  addDays,
  daysBefore,
  openPlatform,
  OTHER_TENANT,
  shiftDate,
  TENANT,
  type Platform,
} from '../harness/platform.js';

const DATE = '2026-11-19';
const TICK = { scheduledBy: { entry: 'test', tick: new Date('2026-11-20T03:00:00Z') } };

const auditRing = parseKeyRing(testKeyText());

async function openDefault(): Promise<Platform> {
  const platform = await openPlatform();
  const { database, connection, topology, client, prefix, startWorker } = platform;
  await ensureAuditStream(connection, {
    STRATUM_PREFIX: prefix,
    STRATUM_REPLICAS: 1,
    AUDIT_MAX_BYTES: 1_048_576,
  });
  const pool = database.as('stratum_default_worker');
  const handlers = createDefaultHandlers({
    pool,
    connection,
    topology,
    client,
    prefix,
    keys: parseKeyRing(testKeyText()),
    audit: { keys: auditRing },
    whatsapp: new WhatsAppClient({ baseUrl: 'http://127.0.0.1:1', timeoutMs: 1_000 }),
    site: new SafeFetch(),
  });
  startWorker('default', handlers);
  return platform;
}

describe('creative fatigue', () => {
  interface CreativeDay {
    impressions: number;
    clicks: number;
    spend: number;
    conversions: number;
    revenue: number;
    frequency: number;
  }

  async function addCreative(
    { query }: Platform,
    id: number,
    days: Record<string, CreativeDay>,
    tenantId = TENANT,
  ): Promise<void> {
    await query(
      `INSERT INTO creative (tenant_id, id, campaign_id, external_id, name) VALUES ($1, $2, $3, $4, $4)`,
      [tenantId, id, tenantId, `Creative ${id}`],
    );
    for (const [date, day] of Object.entries(days)) {
      await query(
        `INSERT INTO creative_metric_daily (tenant_id, creative_id, date, impressions, clicks, spend, conversions, revenue, frequency)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [
          tenantId,
          id,
          date,
          day.impressions,
          day.clicks,
          day.spend,
          day.conversions,
          day.revenue,
          day.frequency,
        ],
      );
    }
  }

  const usual: CreativeDay = {
    impressions: 10_000,
    clicks: 200,
    spend: 100,
    conversions: 10,
    revenue: 400,
    frequency: 1.5,
  };
  const tired: CreativeDay = {
    impressions: 10_000,
    clicks: 100,
    spend: 100,
    conversions: 4,
    revenue: 120,
    frequency: 3.5,
  };
  const week = Object.fromEntries(
    Array.from({ length: 7 }, (_, index) => [shiftDate(DATE, index - 7), usual]),
  );

  test('is the weighted sum of the declines, and a fatigued creative raises one alert', async () => {
    const platform = await openDefault();
    await addCampaign(platform, { id: 1 });
    await addCampaign(platform, { id: 2, tenantId: OTHER_TENANT });
    await addCreative(platform, 1, { ...week, [DATE]: tired });
    await addCreative(platform, 2, { ...week, [DATE]: usual });
    await addCreative(platform, 3, { ...week, [DATE]: { ...tired, impressions: 999, clicks: 1 } });
    await addCreative(platform, 4, { ...week, [DATE]: tired }, OTHER_TENANT);
    // CTR 2 % → 1 %: drop 0.5. ROAS 4 → 1.2: drop 0.7. CPA 10 → 25: rise 1.5, counts as 1. Frequency 3.5: exposure (3.5 − 2) / 3 = 0.5.
    // Of 74 conversions 1/8 of the spend should have brought 9.25; 4 came, 1.85 standard errors less: no chance.
    // 0.35·0.5 + 0.35·0.7 + 0.20·1 + 0.10·0.5 = 0.67
    const result = await platform.run(calculateTenantFatigue, { tenant_id: TENANT, date: DATE });
    expect(result).toEqual({
      tenant_id: TENANT,
      date: DATE,
      scored: 2,
      refresh: 1,
      watch: 0,
      not_enough_data: 1,
    });
    const rows = await platform.query<{ creative_id: string; status: string; score: number | null }>(
      'SELECT creative_id, status, score FROM creative_fatigue ORDER BY creative_id',
    );
    expect(rows).toEqual([
      { creative_id: '1', status: 'refresh', score: expect.closeTo(0.67, 10) },
      { creative_id: '2', status: 'healthy', score: 0 },
      { creative_id: '3', status: 'not_enough_data', score: null },
    ]);
    await platform.run(calculateTenantFatigue, { tenant_id: TENANT, date: DATE });
    const alerts = (): Promise<unknown[]> =>
      platform.query('SELECT tenant_id, key, kind, close_reason FROM alert');
    const alert = { tenant_id: '1', key: 'fatigue/1', kind: 'creative_fatigue' };
    expect(await alerts()).toEqual([{ ...alert, close_reason: null }]);
    await platform.query(`UPDATE creative SET status = 'paused' WHERE id = 1`);
    await platform.run(calculateTenantFatigue, { tenant_id: TENANT, date: DATE });
    expect(await alerts()).toEqual([{ ...alert, close_reason: 'the creative is no longer shown' }]);
  });

  test('is smoothed with the day before: 0.4 · 0.67 + 0.6 · 0.2 = 0.388', async () => {
    const platform = await openDefault();
    await addCampaign(platform, { id: 1 });
    await addCreative(platform, 1, { ...week, [DATE]: tired });
    await platform.query(
      `INSERT INTO creative_fatigue (tenant_id, creative_id, date, status, raw_score, score, evidence) VALUES (1, 1, $1, 'healthy', 0.2, 0.2, '{}')`,
      [shiftDate(DATE, -1)],
    );
    await platform.run(calculateTenantFatigue, { tenant_id: TENANT, date: DATE });
    const rows = await platform.query('SELECT status, score FROM creative_fatigue WHERE date = $1', [DATE]);
    expect(rows).toEqual([{ status: 'healthy', score: expect.closeTo(0.388, 10) }]);
  });

  test('is asked for each tenant by the scheduled job, once for a tick', async () => {
    const platform = await openDefault();
    expect(await platform.run(calculateFatigueScores, {}, { ...TICK, id: 'first' })).toEqual({ enqueued: 2 });
    expect(await platform.run(calculateFatigueScores, {}, { ...TICK, id: 'second' })).toEqual({
      enqueued: 0,
    });
  });
});

test('daily scores weigh the changes against the week before', async () => {
  const platform = await openDefault();
  const usual = { impressions: 10_000, clicks: 200, spend: 100, conversions: 10, revenue: 400, reach: 8_000 };
  await addCampaign(platform, { id: 1 });
  await addDays(platform, 1, daysBefore(DATE, 7, usual));
  await addDays(platform, 1, { [DATE]: { ...usual, clicks: 220, conversions: 11, revenue: 600 } });
  await addCampaign(platform, { id: 2 });
  await addDays(platform, 2, daysBefore(DATE, 7, usual));
  await addDays(platform, 2, { [DATE]: { ...usual, conversions: 4, revenue: 100, reach: 2_500 } });
  await addCampaign(platform, { id: 3 });
  await addDays(platform, 3, { [DATE]: usual });
  const result = await platform.run(calculateTenantScores, { tenant_id: TENANT, date: DATE });
  expect(result).toMatchObject({ scored: 2, scale: 1, watch: 0, fix: 1, not_enough_data: 1 });
  const rows = await platform.query<{
    campaign_id: string;
    score: number | null;
    health: number | null;
    reasons: string[];
  }>('SELECT campaign_id, verdict, score, health, reasons FROM daily_score ORDER BY campaign_id');
  // 1: ROAS 4 → 6: +0.5. CPA 10 → 9.0909: −0.0909. CVR 5 % → 5 %. CTR +0.1.  0.225 + 0.0227 + 0 + 0.01 = 0.2577
  expect(rows[0]).toMatchObject({ verdict: 'scale', score: expect.closeTo(0.257727, 5), health: 63 });
  expect(rows[0]?.reasons).toContain('return on ad spend is 50 % higher than in the week before');
  // 2: ROAS −0.75, CPA +1.5 → 1, CVR −0.6, CTR 0.  −0.3375 − 0.25 − 0.12 = −0.7075; people see it 4 times: ·0.75; 4 conversions: ·0.85
  expect(rows[1]).toMatchObject({
    verdict: 'fix',
    score: expect.closeTo(-0.7075 * 0.75 * 0.85, 6),
    health: 27,
  });
  expect(rows[2]).toMatchObject({
    verdict: 'not_enough_data',
    score: null,
    reasons: ['only 0 days to compare with, 3 are needed'],
  });
  const shown = (): Promise<unknown[]> =>
    platform.query(
      'SELECT health_score, scored_on::text, scaling_score > 0 AS up FROM campaign WHERE tenant_id = 1 ORDER BY id',
    );
  const expected = [
    { health_score: 63, scored_on: DATE, up: true },
    { health_score: 27, scored_on: DATE, up: false },
    { health_score: null, scored_on: null, up: null },
  ];
  expect(await shown()).toEqual(expected);
  // An earlier day that is worked out again is not what the campaigns show.
  await platform.run(calculateTenantScores, { tenant_id: TENANT, date: shiftDate(DATE, -1) });
  expect(await shown()).toEqual(expected);
});

test('a daily job is about the last day that is over in all accounts of a tenant', async () => {
  const { query, run, client } = await openDefault();
  // At 03:00 UTC it still is the evening of the 19th in New York. Tokyo's 20th is half over; a disconnected account holds up nobody.
  await query(
    `UPDATE platform_account SET time_zone = 'America/New_York' WHERE tenant_id = 1 AND platform = 'meta'`,
  );
  await query(
    `UPDATE platform_account SET time_zone = 'Asia/Tokyo' WHERE tenant_id = 2 AND platform = 'meta'`,
  );
  await query(
    `UPDATE platform_account SET time_zone = 'Pacific/Honolulu', status = 'disconnected' WHERE tenant_id = 2 AND platform = 'google'`,
  );
  await query(
    `INSERT INTO tenant (id, name, currency, time_zone) VALUES (3, 'No account yet', 'USD', 'America/Denver')`,
  );
  for (const [job, child] of [
    [calculateFatigueScores, calculateTenantFatigue],
    [calculateDailyScores, calculateTenantScores],
    [calculateCostAllocation, allocateTenantCosts],
  ] as const) {
    // What was spent is corrected for a week, and allocated again.
    expect(await run(job, {}, TICK)).toEqual({ enqueued: job === calculateCostAllocation ? 3 * 8 : 3 });
    for (const [tenantId, date] of [
      [1, '2026-11-18'],
      [2, '2026-11-19'],
      [3, '2026-11-18'],
    ] as const) {
      const id = derivedTaskId(child.name, String(TICK.scheduledBy.tick.getTime()), tenantId);
      expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { date } });
    }
  }
  await expect(query(`UPDATE platform_account SET time_zone = 'Mars/Olympus'`)).rejects.toThrow(/time zone/);
});

describe('cost allocation', () => {
  test('is exact to the cent in every dimension', async () => {
    const platform = await openDefault();
    await addCampaign(platform, { id: 1, labels: ['cost-centre:north', 'brand'] });
    await addCampaign(platform, { id: 2 });
    await addCampaign(platform, {
      id: 3,
      platform: 'google',
      labels: ['cost-centre:south', 'cost-centre:north'],
    });
    await addCampaign(platform, { id: 4, currency: 'JPY' });
    await addCampaign(platform, { id: 5, tenantId: OTHER_TENANT });
    await addDays(platform, 1, { [DATE]: { spend: '10.004' } });
    await addDays(platform, 2, { [DATE]: { spend: '20.004' } });
    await addDays(platform, 3, { [DATE]: { spend: '30.004' } });
    await addDays(platform, 4, { [DATE]: { spend: '1200' } }, { currency: 'JPY' });
    await addDays(platform, 5, { [DATE]: { spend: '999' } }, { tenantId: OTHER_TENANT });
    await platform.query(
      `INSERT INTO shared_cost (tenant_id, name, month, currency, amount, spread_by) VALUES (1, 'Agency fee', '2026-11-01', 'USD', 100, 'spend')`,
    );
    const result = await platform.run(allocateTenantCosts, { tenant_id: TENANT, date: DATE });
    // The spend is 60.012, so 60.01. In cents the campaigns' parts are 1000.37, 2000.33 and 3000.30: the odd cent is the first one's.
    // The fee's part of the 19th is 3.33 (30 parts of 100.00; the first ten are 3.34): 55.5, 111.0 and 166.5 cents → 56, 111, 166.
    expect(result).toEqual({
      tenant_id: TENANT,
      date: DATE,
      rows: expect.any(Number),
      totals: { USD: '63.340000', JPY: '1200.000000' },
    });
    const rows = await platform.query<{
      tenant_id: string;
      source: string;
      dimension: string;
      key: string;
      amount: string;
    }>(
      `SELECT source, dimension, key, trim_scale(amount)::text AS amount FROM cost_allocation
       WHERE currency = 'USD' ORDER BY source DESC, dimension, key`,
    );
    const of = (source: string, dimension: string): Record<string, string> =>
      Object.fromEntries(
        rows
          .filter((row) => row.source === source && row.dimension === dimension)
          .map(({ key, amount }) => [key, amount]),
      );
    expect(of('spend', 'campaign')).toEqual({ 1: '10.01', 2: '20', 3: '30' });
    expect(of('spend', 'platform')).toEqual({ meta: '30.01', google: '30' });
    expect(of('spend', 'cost_centre')).toEqual({ north: '25.01', south: '15', '(none)': '20' });
    expect(of('spend', 'label')).toEqual({ brand: '10.01', '(none)': '50' });
    expect(of('Agency fee', 'campaign')).toEqual({ 1: '0.56', 2: '1.11', 3: '1.66' });
    const again = await platform.run(allocateTenantCosts, { tenant_id: TENANT, date: DATE });
    expect(again).toEqual(result);
  });

  test('follows a platform’s later restatements of the last week', async () => {
    const platform = await openDefault();
    const { query, run, client } = platform;
    await addCampaign(platform, { id: 1 });
    const spent = async (tick: string, days: number): Promise<unknown[]> => {
      await query('UPDATE campaign_metric_daily SET spend = spend + 1');
      await run(calculateCostAllocation, {}, { scheduledBy: { entry: 'costs', tick: new Date(tick) } });
      const slot = String(Date.parse(tick));
      for (let day = 0; day <= days; day++) {
        const id = derivedTaskId(
          allocateTenantCosts.name,
          slot,
          day === 0 ? TENANT : `${TENANT}-${shiftDate(DATE, -day)}`,
        );
        expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
      }
      return query(
        `SELECT date::text, trim_scale(amount)::text AS amount FROM cost_allocation WHERE tenant_id = 1 AND dimension = 'campaign' ORDER BY date`,
      );
    };
    // The eighth day before the last is settled.
    await addDays(platform, 1, {
      [DATE]: { spend: '9' },
      [shiftDate(DATE, -7)]: { spend: '19' },
      [shiftDate(DATE, -8)]: { spend: '29' },
    });
    expect(await spent('2026-11-20T02:00:00Z', 7)).toEqual([
      { date: '2026-11-12', amount: '20' },
      { date: DATE, amount: '10' },
    ]);
    expect(await spent('2026-11-20T02:30:00Z', 7)).toEqual([
      { date: '2026-11-12', amount: '21' },
      { date: DATE, amount: '11' },
    ]);
  });

  test('distinguishes a shared cost named “spend” from the spend', async () => {
    const platform = await openDefault();
    await addCampaign(platform, { id: 1 });
    await addDays(platform, 1, { [DATE]: { spend: 10 } });
    await platform.query(
      `INSERT INTO shared_cost (tenant_id, name, month, currency, amount, spread_by) VALUES (1, 'spend', '2026-11-01', 'USD', 30, 'spend')`,
    );
    // A thirtieth of 30.00 beside the 10.00.
    expect(await platform.run(allocateTenantCosts, { tenant_id: TENANT, date: DATE })).toMatchObject({
      totals: { USD: '11.000000' },
    });
  });
});

test('usage counts campaigns, rows, runs and the money of the month', async () => {
  const platform = await openDefault();
  const { query, run } = platform;
  const today = new Date().toISOString().slice(0, 10);
  const tick = new Date(Date.parse(`${today}T01:00:00Z`) + 86_400_000);
  await addCampaign(platform, { id: 1 });
  await addCampaign(platform, { id: 2 });
  await addCampaign(platform, { id: 3 });
  const monthStart = `${today.slice(0, 7)}-01`;
  await addDays(platform, 1, {
    [today]: { spend: '12.34', impressions: 5 },
    ...(monthStart === today ? {} : { [monthStart]: { spend: '0.66' } }),
  });
  await addDays(platform, 2, { [today]: { spend: '0', impressions: 7 } });
  await addDays(platform, 3, { [today]: { spend: '0' } });
  await query(
    `INSERT INTO sync_run (tenant_id, account_id, task_id, window_since, window_until, outcome, metric_rows_written, campaigns_written)
     VALUES (1, 11, 'a', $1, $1, 'succeeded', 28, 2), (1, 12, 'b', $1, $1, 'failed', 5, 0)`,
    [today],
  );
  await query(
    `INSERT INTO cdp_event (tenant_id, message_id, profile_id, name, occurred_at, received_at)
     VALUES (1, 'a', 1, 'A', $1::date, $1::date), (1, 'b', 1, 'A', $1::date - 9, $1::date + interval '23 hours'),
       (1, 'c', 1, 'A', $1::date, $1::date - 1), (1, 'd', 1, 'A', $1::date, $1::date + 1), (2, 'e', 1, 'A', $1::date, $1::date)`,
    [today],
  );
  await run(calculateTenantScores, { tenant_id: TENANT, date: today });
  await run(calculateTenantFatigue, { tenant_id: TENANT, date: today });
  await run(calculateUsageRollup, {}, { id: 'rollup', scheduledBy: { entry: 'usage', tick } });
  const rows = await waitFor('both tenants', async () => {
    const found = await query<Record<string, unknown>>('SELECT * FROM usage_rollup ORDER BY tenant_id');
    return found.length === 2 && found;
  });
  // Two of three campaigns were shown: 2 of 500 is 0.4 %. Written were 28 + 2 and 5 rows, of the failed run, too. 12.34 + 0.66 is 13.
  // Of five events two were received on the day and are this tenant's, whenever they happened.
  expect(rows[0]).toMatchObject({
    active_campaigns: 2,
    events_ingested: '2',
    synced_rows: '35',
    plan: 'standard',
    month_to_date_spend: { USD: monthStart === today ? '12.34' : '13' },
    task_runs: { default: { runs: 2, failures: 0 } },
    limits_used: { active_campaigns: { limit: 500, used: 2, share: 0.004 }, synced_rows: { used: 35 } },
  });
  expect(rows[1]).toMatchObject({
    active_campaigns: 0,
    synced_rows: '0',
    month_to_date_spend: {},
    task_runs: {},
  });
});

describe('the health of the pipeline', () => {
  const NOW = '2026-11-20T12:30:00.000Z';
  const at = (minutes: number): string => new Date(Date.parse(NOW) + minutes * 60_000).toISOString();

  test('is reported once when it degrades, and when it recovers', async () => {
    const { query, run } = await openDefault();
    const synced = (time: string): Promise<unknown> =>
      query('UPDATE platform_account SET last_synced_at = $1 WHERE tenant_id = 1', [time]);
    const alerts = (): Promise<unknown[]> =>
      query('SELECT kind, severity, close_reason FROM alert WHERE tenant_id = 1 ORDER BY id');
    await synced(at(-60));
    expect(await run(checkTenantPipeline, { tenant_id: TENANT, checked_at: at(0) })).toMatchObject({
      tenant_id: TENANT,
      status: 'healthy',
      findings: [],
    });
    expect(await alerts()).toEqual([]);
    for (const minutes of [61, 121]) {
      const sick = await run(checkTenantPipeline, { tenant_id: TENANT, checked_at: at(minutes) });
      expect(sick).toMatchObject({ status: 'degraded' });
    }
    expect(await alerts()).toEqual([{ kind: 'pipeline_health', severity: 'warning', close_reason: null }]);
    await query(
      `UPDATE platform_account SET status = 'needs_reconnect' WHERE tenant_id = 1 AND platform = 'google'`,
    );
    await run(checkTenantPipeline, { tenant_id: TENANT, checked_at: at(181) });
    await query(`UPDATE platform_account SET status = 'connected' WHERE tenant_id = 1`);
    await synced(at(240));
    await run(checkTenantPipeline, { tenant_id: TENANT, checked_at: at(241) });
    expect(await alerts()).toEqual([
      { kind: 'pipeline_health', severity: 'warning', close_reason: 'now critical' },
      { kind: 'pipeline_health', severity: 'critical', close_reason: 'recovered' },
      { kind: 'pipeline_recovered', severity: 'info', close_reason: 'reported' },
    ]);
  });

  test('names each thing that is wrong', async () => {
    const platform = await openDefault();
    const { query, run } = platform;
    await query(`UPDATE platform_account SET last_synced_at = $1 WHERE tenant_id = 1`, [at(-10)]);
    await query(
      `UPDATE platform_account SET token_expires_at = $1 WHERE tenant_id = 1 AND platform = 'google'`,
      [at(3 * 24 * 60)],
    );
    await query(
      `INSERT INTO sync_run (tenant_id, account_id, task_id, window_since, window_until, outcome, finished_at)
       SELECT 1, 11, 't', $1, $1, CASE WHEN n = 1 THEN 'failed' ELSE 'succeeded' END, $2 FROM generate_series(1, 5) n`,
      ['2026-11-20', at(-30)],
    );
    await addCampaign(platform, { id: 1 });
    await addDays(platform, 1, {
      '2026-11-16': { spend: 1 },
      '2026-11-18': { spend: 1 },
      '2026-11-19': { spend: 1 },
    });
    const { status, findings } = await run(checkTenantPipeline, {
      tenant_id: TENANT,
      checked_at: NOW,
      queues: [{ queue: 'sync', waiting: 4, oldest_seconds: 1_200 }],
      dead_letters: 2,
    });
    // 4 of 5 syncs succeeded: 80 %, and 90 % are wanted. Of the week's days since the first figures, on the 16th, the 17th has none.
    expect(status).toBe('degraded');
    expect(findings).toEqual([
      'the access of the google account g1 expires in 3 days',
      '1 of 5 syncs of the meta account m1 failed within a day',
      'the meta account m1 has no figures for 2026-11-17',
      'the oldest task of the queue sync has waited 20 minutes',
      '2 tasks failed for good within an hour',
    ]);
  });

  test('says which jobs have nothing to read, which is no fault', async () => {
    const platform = await openDefault();
    const idle = async (): Promise<string[]> => {
      const checked = await platform.run(checkTenantPipeline, { tenant_id: TENANT, checked_at: NOW });
      return checked.idle_jobs.map(({ job }) => job);
    };
    await platform.query('UPDATE platform_account SET last_synced_at = $1', [at(-10)]);
    const all = [
      'calculate_fatigue_scores',
      'evaluate_all_rules',
      'refresh_all_competitors',
      'compute_all_cdp_segments',
      'compute_all_cdp_funnels',
      'process_scheduled_whatsapp',
      'publish_scheduled_cms_posts',
    ];
    expect(await idle()).toEqual(all);
    expect(await platform.query('SELECT status FROM pipeline_check WHERE tenant_id = 1')).toEqual([
      { status: 'healthy' },
    ]);
    for (const statement of [
      `INSERT INTO competitor (tenant_id, name) VALUES (1, 'Acme')`,
      `INSERT INTO rule (tenant_id, name, status, definition) VALUES (1, 'R', 'active', '{}')`,
      `INSERT INTO cdp_segment (tenant_id, name, definition) VALUES (1, 'S', '{}')`,
      `INSERT INTO cdp_funnel (tenant_id, name, definition) VALUES (1, 'F', '{}')`,
      `INSERT INTO cms_post (tenant_id, slug, title, content) VALUES (1, 'p', 'P', 'Text.')`,
    ])
      await platform.query(statement);
    expect(await idle()).toEqual(['calculate_fatigue_scores', 'process_scheduled_whatsapp']);
    await platform.query(`UPDATE platform_account SET status = 'disconnected'`);
    expect(await idle()).toContain('sync_all_campaigns');
  });

  test('misses no figures of an account where nothing runs', async () => {
    const platform = await openDefault();
    await platform.query('UPDATE platform_account SET last_synced_at = $1', [at(-10)]);
    await addCampaign(platform, { id: 1, status: 'paused' });
    await addDays(platform, 1, { '2026-11-10': { spend: 1 } });
    const check = (): Promise<unknown> =>
      platform.run(checkTenantPipeline, { tenant_id: TENANT, checked_at: NOW });
    expect(await check()).toMatchObject({ status: 'healthy', findings: [] });
    await platform.query(`UPDATE campaign SET status = 'active'`);
    expect(await check()).toMatchObject({ status: 'degraded' });
  });

  test('is computed for each tenant, with the shared parts', async () => {
    const { run, query } = await openDefault();
    await run(checkPipelineHealth, {}, { id: 'health' });
    const tenants = await waitFor('both tenants', async () => {
      const rows = await query('SELECT tenant_id FROM pipeline_check ORDER BY 1');
      return rows.length === 2 && rows;
    });
    expect(tenants).toEqual([{ tenant_id: '1' }, { tenant_id: '2' }]);
  });
});

describe('the audit log', () => {
  const event = (id: string, more: Partial<NewAuditEvent> = {}): NewAuditEvent => ({
    id,
    tenant_id: TENANT,
    actor: 'user/7',
    action: 'campaign.status',
    subject: 'campaign/1',
    details: { before: 'active', after: 'paused', nested: { b: 1, a: [2, { d: 1, c: 2 }] } },
    occurred_at: '2026-11-20T10:00:00.000Z',
    ...more,
  });

  const verify = async ({ database, connection, prefix }: Platform): Promise<ChainReport[]> =>
    verifyAudit(database.owner, auditRing, (await readAnchors(connection, prefix)).anchors);
  const problemsOf = (chains: readonly ChainReport[]): string[] => chains.flatMap((chain) => chain.problems);

  test('takes each event once, in order, and shows where it was tampered with', async () => {
    const platform = await openDefault();
    const { connection, prefix, run, database, query, client } = platform;
    for (let count = 1; count <= 5; count++) await publishAudit(connection, prefix, event(`e${count}`));
    await publishAudit(connection, prefix, event('f1', { tenant_id: OTHER_TENANT }));
    await publishAudit(connection, prefix, event('nobody', { tenant_id: 99 }));
    expect(await run(processAuditLogs, {})).toEqual({ written: 6, repeated: 0, refused: 1 });
    // As after a worker that died between the commit and the acknowledgement, beyond the broker's window.
    await withTenant(database.as('stratum_default_worker'), TENANT, async (tenant) => {
      const again = [event('e5'), event('e6'), event('e6')];
      expect(await appendAuditEvents(tenant, { tenantId: TENANT, keys: auditRing }, again)).toBe(1);
    });
    const problems = async (): Promise<string[]> => problemsOf(await verify(platform));
    expect(await problems()).toEqual([]);
    await query(
      `UPDATE audit_event SET details = details || '{"after": "active"}' WHERE tenant_id = 1 AND sequence = 3`,
    );
    expect(await problems()).toEqual(['event 3 was changed']);
    await query('DELETE FROM audit_event WHERE tenant_id = 1 AND sequence = 2');
    expect(await problems()).toEqual(['event 2 is missing']);
    expect(await client.deadLetters.list()).toEqual([]);
  });

  test('takes over from a lost worker, even if nothing new arrives', async () => {
    const { connection, prefix, run, query } = await openDefault();
    for (const id of ['e1', 'e2', 'e3']) await publishAudit(connection, prefix, event(id));
    const names = auditNames(prefix);
    await (
      await jetstreamManager(connection)
    ).consumers.update(names.stream, names.consumer, {
      ack_wait: 1e9,
    });
    const lost = await jetstream(connection).consumers.get(names.stream, names.consumer);
    for await (const message of await lost.fetch({ max_messages: 2, expires: 1_000 }))
      expect(message).toBeDefined();
    await waitFor('all three', async () => {
      await run(processAuditLogs, {});
      return (await query('SELECT FROM audit_event')).length === 3;
    });
    expect(await run(processAuditLogs, {})).toEqual({ written: 0, repeated: 0, refused: 0 });
  });

  test('is held up by no event that the database would not take, and stays whole', async () => {
    const platform = await openDefault();
    const { connection, prefix, run, query } = platform;
    const odd = { name: 'a\0b', half: '\ud800', 'key\0': ['\udc00', 'fine 😀'], small: 5e-324, large: 1e300 };
    await publishAudit(
      connection,
      prefix,
      event('odd', { actor: 'key/\0', details: odd, occurred_at: '2026-11-20T11:00:00.123987+01:00' }),
    );
    await publishAudit(connection, prefix, event('next'));
    expect(await run(processAuditLogs, {})).toEqual({ written: 2, repeated: 0, refused: 0 });
    expect(await query(`SELECT details ->> 'name' AS name FROM audit_event WHERE id = 'odd'`)).toEqual([
      { name: 'a\uFFFDb' },
    ]);
    expect(problemsOf(await verify(platform))).toEqual([]);
  });

  test('cannot be changed by the service that writes it', async () => {
    const { database } = await openDefault();
    const change = withTenant(database.as('stratum_default_worker'), TENANT, (tenant) =>
      tenant.query('UPDATE audit_event SET details = $1', ['{}']),
    );
    await expect(change).rejects.toThrow(/permission denied/);
  });
});
