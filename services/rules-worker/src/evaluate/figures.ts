/** What the rules look at: every campaign, and its sums over every window that a rule names, in one query each. */
import type { RuleDefinition, RuleMetric, RuleTree, RuleWindow } from '@stratum/shared/rules';
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
  conversions: number;
  revenue: number | null;
  reach: number | null;
}

/** Sums of a campaign by window; `undefined` where it has no row in it. */
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

export async function readFigures(
  client: PoolClient,
  rules: readonly RuleDefinition[],
  today: string,
): Promise<Figures> {
  const wanted = new Map<string, Days>();
  for (const { when } of rules) collectWindows(when, today, wanted);
  const sums = new Map<string, Map<number, Sums>>();
  for (const [key, { since, until }] of wanted) {
    const { rows } = await client.query<Sums & { campaign_id: string }>(
      `SELECT campaign_id, sum(impressions)::float8 AS impressions, sum(clicks)::float8 AS clicks, sum(spend)::float8 AS spend,
         sum(conversions)::float8 AS conversions, sum(revenue)::float8 AS revenue, sum(reach)::float8 AS reach
       FROM campaign_metric_daily WHERE date >= $1 AND date <= $2 GROUP BY campaign_id`,
      [since, until],
    );
    sums.set(key, new Map(rows.map(({ campaign_id: id, ...each }) => [Number(id), each])));
  }
  return (campaignId, window, before) => sums.get(keyOf(window, before))?.get(campaignId);
}

function collectWindows({ conditions, groups }: RuleTree, today: string, wanted: Map<string, Days>): void {
  for (const condition of conditions) {
    if (!('metric' in condition)) continue;
    const { window, compare } = condition;
    wanted.set(keyOf(window, false), daysOf(window, today));
    if (compare === 'change_pct' && window !== 'lifetime')
      wanted.set(keyOf(window, true), daysBefore(window, today));
  }
  for (const group of groups) collectWindows(group, today, wanted);
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
      return ratio(100 * conversions, clicks);
    case 'roas':
      return ratio(revenue, spend);
    case 'frequency':
      return ratio(impressions, reach);
    case 'budget_utilisation': {
      if (campaign.dailyBudget === null || window === 'lifetime') return null;
      return ratio(100 * spend, Number(campaign.dailyBudget) * lengthOf(daysOf(window, '2000-01-31')));
    }
  }
}

function ratio(above: number | null, below: number | null): number | null {
  return above === null || below === null || below === 0 ? null : above / below;
}
