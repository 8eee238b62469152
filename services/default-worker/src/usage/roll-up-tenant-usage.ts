/** `roll_up_tenant_usage`: one row for a tenant's day. Run again, it writes the same row. */
import type { HandlerFor } from '@stratum/jobs';
import { withTenant, type rollUpTenantUsage } from '@stratum/shared';
import { PLAN_LIMITS } from './plans.js';
import type { Pool } from 'pg';

interface UsageRow {
  plan: string;
  active_campaigns: number;
  synced_rows: string;
  events_ingested: string;
  month_to_date_spend: Record<string, string>;
}

/** Amounts as text: JSON's numbers are not exact. */
const READ = `
  SELECT
    (SELECT plan FROM tenant WHERE id = current_tenant()) AS plan,
    (SELECT count(DISTINCT campaign_id)::int FROM campaign_metric_daily WHERE date = $1 AND (impressions > 0 OR spend > 0)) AS active_campaigns,
    (SELECT coalesce(sum(metric_rows_written + campaigns_written), 0) FROM sync_run
      WHERE started_at >= $1::date AND started_at < $1::date + 1) AS synced_rows,
    (SELECT count(*) FROM cdp_event
      WHERE tenant_id = current_tenant() AND received_at >= $1::date AND received_at < $1::date + 1) AS events_ingested,
    (SELECT coalesce(jsonb_object_agg(currency, spend), '{}') FROM (
      SELECT currency, trim_scale(sum(spend))::text AS spend FROM campaign_metric_daily
      WHERE date >= date_trunc('month', $1::date) AND date <= $1 GROUP BY currency) sums) AS month_to_date_spend`;

export function rollUpTenantUsageHandler({ pool }: { pool: Pool }): HandlerFor<typeof rollUpTenantUsage> {
  return ({ tenant_id: tenantId, date, task_runs: taskRuns }) =>
    withTenant(pool, tenantId, async (client) => {
      const { rows } = await client.query<UsageRow>(READ, [date]);
      const [usage] = rows;
      if (usage === undefined) throw new Error('the usage query returned no row');
      const used = {
        active_campaigns: usage.active_campaigns,
        synced_rows: Number(usage.synced_rows),
        task_runs: Object.values(taskRuns).reduce((sum, { runs }) => sum + runs, 0),
      };
      const limits = PLAN_LIMITS[usage.plan];
      const share = (name: keyof typeof used): Record<string, unknown> =>
        limits === undefined
          ? {}
          : { [name]: { limit: limits[name], used: used[name], share: used[name] / limits[name] } };
      const limitsUsed = { ...share('active_campaigns'), ...share('synced_rows'), ...share('task_runs') };
      await client.query(
        `INSERT INTO usage_rollup (tenant_id, date, active_campaigns, synced_rows, task_runs, month_to_date_spend, plan, limits_used, events_ingested)
         VALUES (current_tenant(), $1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant_id, date) DO UPDATE SET active_campaigns = excluded.active_campaigns, synced_rows = excluded.synced_rows,
           task_runs = excluded.task_runs, month_to_date_spend = excluded.month_to_date_spend, plan = excluded.plan,
           limits_used = excluded.limits_used, events_ingested = excluded.events_ingested, computed_at = now()`,
        [
          date,
          used.active_campaigns,
          used.synced_rows,
          JSON.stringify(taskRuns),
          JSON.stringify(usage.month_to_date_spend),
          usage.plan,
          JSON.stringify(limitsUsed),
          usage.events_ingested,
        ],
      );
      return {
        tenant_id: tenantId,
        date,
        active_campaigns: used.active_campaigns,
        synced_rows: used.synced_rows,
      };
    });
}
