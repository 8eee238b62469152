/** The daily figures of a tenant's campaigns, without gaps, up to the last complete day of their accounts. */
import { withTenant } from '@stratum/shared';
import { addDays } from '@stratum/connectors/values';
import type { Pool } from 'pg';
import type { CampaignChange } from './campaign-changes.js';

export const METRICS = ['spend', 'revenue', 'conversions'] as const;
export type Metric = (typeof METRICS)[number];

export interface CampaignHistory {
  campaignId: number;
  name: string;
  status: string;
  currency: string;
  /** The account's, by IANA. */
  timeZone: string;
  dailyBudget: number | null;
  /** The account's local day; `null`: unknown. */
  startedOn: string | null;
  /** Of the days of the history, the oldest first. */
  changes: CampaignChange[];
  /** YYYY-MM-DD of each figure. */
  dates: string[];
  /** Days from the last figure to UTC's yesterday that are not over where the account is, or that nobody has synced: unknown, not zero. */
  unknownDays: number;
  spend: number[];
  /** `null` where the platform reports none, as conversions. */
  revenue: number[] | null;
  conversions: number[] | null;
}

/** Enough for a year's shape of the week, little enough to be quick. */
export const HISTORY_DAYS = 180;
/** Changes further back lie before all that a model sees. */
const CHANGE_DAYS = HISTORY_DAYS + 1;
/** Campaigns that were paused lately are forecast, too: as nothing. */
const PAUSED_DAYS = 30;
const DAY_MS = 86_400_000;

interface MetricRow {
  campaign_id: string;
  name: string;
  status: string;
  currency: string;
  time_zone: string;
  daily_budget: string | null;
  started_on: string | null;
  changes: CampaignChange[];
  /** The first day that is not known without a row: it is not over, or was not at the last sync. */
  known_until: string;
  dates: string[];
  spend: number[];
  revenue: number[] | null;
  conversions: number[] | null;
}

export interface HistoryQuery {
  tenantId: number;
  at: Date;
  campaignIds?: readonly number[] | undefined;
  /** At most, counted back from today. */
  days?: number;
}

/** A day without a row is a day without activity, as far as the account was synced: platforms report none. */
export function readHistories(
  pool: Pool,
  { tenantId, at, campaignIds, days = HISTORY_DAYS }: HistoryQuery,
): Promise<CampaignHistory[]> {
  return withTenant(pool, tenantId, async (client) => {
    const { rows } = await client.query<MetricRow>(
      `SELECT c.id AS campaign_id, c.name, c.status, c.currency, a.time_zone, c.daily_budget, (c.started_at AT TIME ZONE a.time_zone)::date::text AS started_on,
         (SELECT coalesce(jsonb_agg(jsonb_build_object('date', (h.changed_at AT TIME ZONE a.time_zone)::date,
            'statusBefore', h.status_before, 'statusAfter', h.status_after, 'budgetBefore', h.budget_before, 'budgetAfter', h.budget_after)
            ORDER BY h.changed_at, h.id), '[]')
          FROM campaign_change h WHERE h.tenant_id = c.tenant_id AND h.campaign_id = c.id
            AND h.changed_at >= $1::date - ${CHANGE_DAYS} AND h.changed_at <= $3::timestamptz) AS changes,
         array_agg(m.date::text ORDER BY m.date) AS dates,
         least($1::date, ($3::timestamptz AT TIME ZONE a.time_zone)::date,
           coalesce((a.last_synced_at AT TIME ZONE a.time_zone)::date, 'epoch'))::text AS known_until,
         array_agg(m.spend::float8 ORDER BY m.date) AS spend,
         CASE WHEN count(m.revenue) > 0 THEN array_agg(coalesce(m.revenue, 0)::float8 ORDER BY m.date) END AS revenue,
         CASE WHEN count(m.conversions) > 0 THEN array_agg(coalesce(m.conversions, 0)::float8 ORDER BY m.date) END AS conversions
       FROM campaign c JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
       JOIN campaign_metric_daily m ON m.tenant_id = c.tenant_id AND m.campaign_id = c.id
       WHERE m.date >= $1::date - $4::int AND m.date < $1::date AND m.date < ($3::timestamptz AT TIME ZONE a.time_zone)::date
         AND c.status IN ('active', 'paused') AND ($2::bigint[] IS NULL OR c.id = ANY($2))
       GROUP BY c.tenant_id, c.id, a.last_synced_at, a.time_zone
       HAVING c.status = 'active' OR max(m.date) >= $1::date - ${PAUSED_DAYS} ORDER BY c.id`,
      [at.toISOString().slice(0, 10), campaignIds ?? null, at, days],
    );
    return rows.map((row) => fillGaps(row, at));
  });
}

function fillGaps(row: MetricRow, at: Date): CampaignHistory {
  const [first = row.known_until] = row.dates;
  const today = dayTime(at.toISOString().slice(0, 10));
  const end = Math.max(dayTime(row.known_until), dayTime(row.dates.at(-1)) + DAY_MS);
  const length = Math.round((end - dayTime(first)) / DAY_MS);
  const dates = Array.from({ length }, (_, index) => addDays(first, index));
  const places = new Map(row.dates.map((date, index) => [date, index]));
  const fill = (values: readonly number[]): number[] =>
    dates.map((date) => Math.max(0, values[places.get(date) ?? -1] ?? 0));
  return {
    campaignId: Number(row.campaign_id),
    name: row.name,
    status: row.status,
    currency: row.currency,
    timeZone: row.time_zone,
    dailyBudget: row.daily_budget === null ? null : Number(row.daily_budget),
    startedOn: row.started_on,
    changes: row.changes,
    dates,
    unknownDays: Math.round((today - end) / DAY_MS),
    spend: fill(row.spend),
    revenue: row.revenue === null ? null : fill(row.revenue),
    conversions: row.conversions === null ? null : fill(row.conversions),
  };
}

function dayTime(date: string | undefined): number {
  return Date.parse(`${date}T00:00:00Z`);
}
