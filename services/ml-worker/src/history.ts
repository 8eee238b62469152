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
  spend: number[];
  revenue: number[];
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
  dates: string[];
  spend: number[];
  revenue: number[];
  conversions: number[];
}

/** A day without a row is a day without activity: platforms report none. */
export function readHistories(
  pool: Pool,
  { tenantId, at, campaignIds }: { tenantId: number; at: Date; campaignIds?: readonly number[] | undefined },
): Promise<CampaignHistory[]> {
  return withTenant(pool, tenantId, async (client) => {
    const { rows } = await client.query<MetricRow>(
      `SELECT c.id AS campaign_id, c.name, c.status, c.currency, c.daily_budget, array_agg(m.date::text ORDER BY m.date) AS dates,
         array_agg(m.spend::float8 ORDER BY m.date) AS spend, array_agg(coalesce(m.revenue, 0)::float8 ORDER BY m.date) AS revenue,
         array_agg(m.conversions::float8 ORDER BY m.date) AS conversions
       FROM campaign c JOIN campaign_metric_daily m ON m.tenant_id = c.tenant_id AND m.campaign_id = c.id
       WHERE m.date >= $1::date - ${HISTORY_DAYS} AND m.date < $1::date AND c.status = 'active' AND ($2::bigint[] IS NULL OR c.id = ANY($2))
       GROUP BY c.tenant_id, c.id ORDER BY c.id`,
      [at.toISOString().slice(0, 10), campaignIds ?? null],
    );
    return rows.map((row) => fillGaps(row, at));
  });
}

function fillGaps(row: MetricRow, at: Date): CampaignHistory {
  const first = Date.parse(`${row.dates[0]}T00:00:00Z`);
  const end = Date.parse(`${at.toISOString().slice(0, 10)}T00:00:00Z`);
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
    spend: fill(row.spend),
    revenue: fill(row.revenue),
    conversions: fill(row.conversions),
  };
}
