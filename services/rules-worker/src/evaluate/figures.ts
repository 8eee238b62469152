/** The rules' input: every campaign, and its sums over every window that a rule names, in one query each. */
import { knownSum } from '@stratum/shared';
import type { RuleDefinition, RuleMetric, RuleTree, RuleWindow } from '@stratum/shared/rules';
import { addDays } from '@stratum/connectors/values';
import type { PoolClient } from 'pg';
import { daysBefore, daysOf, lengthOf, type Days } from './windows.js';

export interface Campaign {
  id: number;
  name: string;
  platform: string;
  status: string;
  labels: string[];
  dailyBudget: string | null;
  currency: string;
  startedAt: Date | null;
  /** Of its account. */
  lastSyncedAt: Date | null;
}

export interface Sums {
  impressions: number;
  clicks: number;
  spend: number;
  /** `null`: unknown. */
  conversions: number | null;
  revenue: number | null;
  reach: number | null;
}

/** Sums of a campaign by window; `undefined` where nothing is known of it. */
export type Figures = (campaignId: number, window: RuleWindow, before: boolean) => Sums | undefined;

export async function readCampaigns(client: PoolClient): Promise<Campaign[]> {
  const { rows } = await client.query<{
    id: string;
    name: string;
    platform: string;
    status: string;
    labels: string[];
    daily_budget: string | null;
    currency: string;
    started_at: Date | null;
    last_synced_at: Date | null;
  }>(
    `SELECT c.id, c.name, a.platform, c.status, c.labels, trim_scale(c.daily_budget)::text AS daily_budget, c.currency, c.started_at, a.last_synced_at
     FROM campaign c JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
     WHERE c.status IN ('active', 'paused') ORDER BY c.id`,
  );
  return rows.map((row) => ({
    id: Number(row.id),
    name: row.name,
    platform: row.platform,
    status: row.status,
    labels: row.labels,
    dailyBudget: row.daily_budget,
    currency: row.currency,
    startedAt: row.started_at,
    lastSyncedAt: row.last_synced_at,
  }));
}

/**
 * Days are those of the campaign's ad account: what its platform calls yesterday. Platforms report no day without activity, so a campaign without a
 * row in a window has zero there, if the account was synced from before the window until its last day and the campaign was launched.
 * Conversions and revenue that one of the days does not know are not known of the window. The bounds around them leave the rest of the partitions
 * unread, because no place is more than a day away from UTC's date.
 */
const READ_FIGURES = `
  WITH local AS MATERIALIZED (
    SELECT c.id, ($1::timestamptz AT TIME ZONE a.time_zone)::date AS today, a.covered_since,
      (a.last_synced_at AT TIME ZONE a.time_zone)::date AS covered_until, (c.started_at AT TIME ZONE a.time_zone)::date AS launched
    FROM campaign c JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
    WHERE c.status IN ('active', 'paused')
  )
  SELECT local.id AS campaign_id, coalesce(sum(m.impressions), 0)::float8 AS impressions, coalesce(sum(m.clicks), 0)::float8 AS clicks,
    coalesce(sum(m.spend), 0)::float8 AS spend, (${knownSum('conversions', 'm.')})::float8 AS conversions,
    (${knownSum('revenue', 'm.')})::float8 AS revenue,
    sum(m.reach)::float8 AS reach
  FROM local LEFT JOIN campaign_metric_daily m ON m.campaign_id = local.id
    AND m.date >= $2 AND m.date <= $3 AND ($4::int IS NULL OR m.date >= local.today + $4::int) AND m.date <= local.today + $5::int
  GROUP BY local.id, local.today, local.covered_since, local.covered_until, local.launched
  HAVING count(m.campaign_id) > 0
    OR (($4::int IS NULL OR local.covered_since <= greatest(local.today + $4::int, local.launched)) AND local.covered_since IS NOT NULL
      AND local.covered_until >= local.today + $5::int AND coalesce(local.launched <= local.today + $5::int, true))`;

/** A day that is not over is compared with what was known of the day before at the same hour, and not with all of it. */
const READ_SAME_HOURS = `
  SELECT DISTINCT ON (i.campaign_id) i.campaign_id, i.impressions::float8, i.clicks::float8, i.spend::float8, i.conversions::float8, i.revenue::float8, i.reach::float8
  FROM campaign c JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
  JOIN campaign_metric_intraday i ON i.tenant_id = c.tenant_id AND i.campaign_id = c.id AND i.date = ($1::timestamptz AT TIME ZONE a.time_zone)::date - 1
    AND i.read_at <= a.last_synced_at - interval '23 hours 30 minutes' AND i.read_at > a.last_synced_at - interval '27 hours'
  ORDER BY i.campaign_id, i.read_at DESC`;

/** @param options `wholeDays`: the day of `now` is over, so it is compared with the whole day before */
export async function readFigures(
  client: PoolClient,
  rules: readonly RuleDefinition[],
  now: Date,
  { wholeDays = false }: { wholeDays?: boolean } = {},
): Promise<Figures> {
  const wanted = new Map<string, Days>();
  for (const { when } of rules) collectWindows(when, wanted);
  const sums = new Map<string, Map<number, Sums>>();
  for (const [key, { first, last }] of wanted) {
    if (key === keyOf('today', true) && !wholeDays) {
      const { rows } = await client.query<Sums & { campaign_id: string }>(READ_SAME_HOURS, [now]);
      sums.set(key, new Map(rows.map(({ campaign_id: id, ...each }) => [Number(id), each])));
      continue;
    }
    const since = first === null ? '-infinity' : utcDate(now, first - 1);
    const values = [now, since, utcDate(now, last + 1), first, last];
    const { rows } = await client.query<Sums & { campaign_id: string }>(READ_FIGURES, values);
    sums.set(key, new Map(rows.map(({ campaign_id: id, ...each }) => [Number(id), each])));
  }
  return (campaignId, window, before) => sums.get(keyOf(window, before))?.get(campaignId);
}

function utcDate(now: Date, days: number): string {
  return addDays(now.toISOString().slice(0, 10), days);
}

function collectWindows({ conditions, groups }: RuleTree, wanted: Map<string, Days>): void {
  for (const condition of conditions) {
    if (!('metric' in condition)) continue;
    const { window, compare } = condition;
    wanted.set(keyOf(window, false), daysOf(window));
    if (compare === 'change_pct' && window !== 'lifetime')
      wanted.set(keyOf(window, true), daysBefore(window));
  }
  for (const group of groups) collectWindows(group, wanted);
}

function keyOf(window: RuleWindow, before: boolean): string {
  return before ? `${window}/before` : window;
}

/** No data is not zero: without a row, or with nothing below the line, there is no value. */
export function metricOf(
  metric: RuleMetric,
  sums: Sums | undefined,
  campaign: Campaign,
  window: RuleWindow,
): number | null {
  if (sums === undefined) return null;
  const { impressions, clicks, spend, conversions, revenue, reach } = sums;
  switch (metric) {
    case 'spend':
    case 'impressions':
    case 'clicks':
    case 'conversions':
    case 'revenue':
      return sums[metric];
    case 'ctr':
      return ratio(100 * clicks, impressions);
    case 'cpc':
      return ratio(spend, clicks);
    case 'cpm':
      return ratio(1_000 * spend, impressions);
    case 'cpa':
      return ratio(spend, conversions);
    case 'cvr':
      return conversions === null ? null : ratio(100 * conversions, clicks);
    case 'roas':
      return ratio(revenue, spend);
    case 'frequency':
      return ratio(impressions, reach);
    case 'budget_utilisation': {
      if (campaign.dailyBudget === null || window === 'lifetime') return null;
      return ratio(100 * spend, Number(campaign.dailyBudget) * lengthOf(window));
    }
  }
}

function ratio(above: number | null, below: number | null): number | null {
  return above === null || below === null || below === 0 ? null : above / below;
}
