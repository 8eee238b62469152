/** The daily figures of a tenant's campaigns, without gaps, up to the last complete day. */
import { withTenant } from '@stratum/shared';
import type { Pool } from 'pg';

export const METRICS = ['spend', 'revenue', 'conversions'] as const;
export type Metric = (typeof METRICS)[number];

export interface CampaignHistory {
  campaignId: number;
  name: string;
  status: string;
  currency: string;
  dailyBudget: number | null;
  /** YYYY-MM-DD of each figure. */
  dates: string[];
  /** Days from the last figure to yesterday that nobody has synced: unknown, not zero. */
  unknownDays: number;
  spend: number[];
  /** `null` where the platform reports none. */
  revenue: number[] | null;
  conversions: number[];
}

/** Enough for a year's shape of the week, little enough to be quick. */
const HISTORY_DAYS = 180;
const DAY_MS = 86_400_000;

interface MetricRow {
  campaign_id: string;
  name: string;
  status: string;
  currency: string;
  daily_budget: string | null;
  last_synced_at: Date | null;
  dates: string[];
  spend: number[];
  revenue: number[] | null;
  conversions: number[];
}

/** A day without a row is a day without activity, as far as the account was synced: platforms report none. */
export function readHistories(
  pool: Pool,
  { tenantId, at, campaignIds }: { tenantId: number; at: Date; campaignIds?: readonly number[] | undefined },
): Promise<CampaignHistory[]> {
  return withTenant(pool, tenantId, async (client) => {
    const { rows } = await client.query<MetricRow>(
      `SELECT c.id AS campaign_id, c.name, c.status, c.currency, c.daily_budget, array_agg(m.date::text ORDER BY m.date) AS dates,
         a.last_synced_at,
         array_agg(m.spend::float8 ORDER BY m.date) AS spend,
         CASE WHEN count(m.revenue) > 0 THEN array_agg(coalesce(m.revenue, 0)::float8 ORDER BY m.date) END AS revenue,
         array_agg(m.conversions::float8 ORDER BY m.date) AS conversions
       FROM campaign c JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
       JOIN campaign_metric_daily m ON m.tenant_id = c.tenant_id AND m.campaign_id = c.id
       WHERE m.date >= $1::date - ${HISTORY_DAYS} AND m.date < $1::date AND c.status = 'active' AND ($2::bigint[] IS NULL OR c.id = ANY($2))
       GROUP BY c.tenant_id, c.id, a.last_synced_at ORDER BY c.id`,
      [at.toISOString().slice(0, 10), campaignIds ?? null],
    );
    return rows.map((row) => fillGaps(row, at));
  });
}

function fillGaps(row: MetricRow, at: Date): CampaignHistory {
  const first = Date.parse(`${row.dates[0]}T00:00:00Z`);
  const today = startOfDay(at.getTime());
  // The day of the last sync was not over. A day that has a row is known anyway.
  const known = Math.min(today, startOfDay(row.last_synced_at?.getTime() ?? 0));
  const end = Math.max(known, Date.parse(`${row.dates.at(-1)}T00:00:00Z`) + DAY_MS);
  const length = Math.round((end - first) / DAY_MS);
  const dates = Array.from({ length }, (_, index) =>
    new Date(first + index * DAY_MS).toISOString().slice(0, 10),
  );
  const places = new Map(row.dates.map((date, index) => [date, index]));
  const fill = (values: readonly number[]): number[] =>
    dates.map((date) => Math.max(0, values[places.get(date) ?? -1] ?? 0));
  return {
    campaignId: Number(row.campaign_id),
    name: row.name,
    status: row.status,
    currency: row.currency,
    dailyBudget: row.daily_budget === null ? null : Number(row.daily_budget),
    dates,
    unknownDays: Math.round((today - end) / DAY_MS),
    spend: fill(row.spend),
    revenue: row.revenue === null ? null : fill(row.revenue),
    conversions: fill(row.conversions),
  };
}

function startOfDay(time: number): number {
  return Math.floor(time / DAY_MS) * DAY_MS;
}
