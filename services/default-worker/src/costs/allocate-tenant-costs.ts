/** `allocate_tenant_costs`: replaces the allocation of a day in one transaction, so a repeated run leaves the same rows. */
import type { HandlerFor } from '@stratum/jobs';
import { withTenant, type allocateTenantCosts } from '@stratum/shared';
import { decimalFromUnits, minorDigits, unitsFromDecimal } from '@stratum/connectors/values';
import type { Pool, PoolClient } from 'pg';
import { allocateCosts, type CampaignCost, type SharedCost } from './allocation.js';
import { apportion, divideRounded } from './apportion.js';

const MICRO_DIGITS = 6;
const microsPerMinor = (currency: string): bigint => 10n ** BigInt(MICRO_DIGITS - minorDigits(currency));

export function allocateTenantCostsHandler({ pool }: { pool: Pool }): HandlerFor<typeof allocateTenantCosts> {
  return ({ tenant_id: tenantId, date }) =>
    withTenant(pool, tenantId, async (client) => {
      const campaigns = await readCampaigns(client, date);
      const rows = allocateCosts(campaigns, await readSharedCosts(client, date), microsPerMinor).map(
        ({ minor, ...row }) => ({
          ...row,
          amount: decimalFromUnits(minor, minorDigits(row.currency)),
        }),
      );
      await client.query('DELETE FROM cost_allocation WHERE date = $1', [date]);
      await client.query(
        `INSERT INTO cost_allocation (tenant_id, date, source, currency, dimension, key, amount)
         SELECT current_tenant(), $1, source, currency, dimension, key, amount
         FROM jsonb_to_recordset($2::jsonb) AS row (source text, currency text, dimension text, key text, amount numeric)`,
        [date, JSON.stringify(rows)],
      );
      const { rows: sums } = await client.query<{ currency: string; total: string }>(
        `SELECT currency, sum(amount)::text AS total FROM cost_allocation WHERE date = $1 AND dimension = 'campaign' GROUP BY currency`,
        [date],
      );
      const totals = Object.fromEntries(sums.map(({ currency, total }) => [currency, total]));
      return { tenant_id: tenantId, date, rows: rows.length, totals };
    });
}

async function readCampaigns(client: PoolClient, date: string): Promise<CampaignCost[]> {
  const { rows } = await client.query<{
    id: string;
    platform: string;
    labels: string[];
    currency: string;
    spend: string;
    impressions: string;
    conversions: string;
  }>(
    `SELECT c.id, a.platform, c.labels, m.currency, m.spend, m.impressions, coalesce(m.conversions, 0) AS conversions
     FROM campaign_metric_daily m
     JOIN campaign c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id
     JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
     WHERE m.date = $1 ORDER BY c.id`,
    [date],
  );
  return rows.map(({ id, platform, labels, currency, spend, impressions, conversions }) => ({
    campaignId: id,
    platform,
    labels,
    currency,
    spendMicros: unitsFromDecimal(spend, MICRO_DIGITS),
    impressions: BigInt(impressions),
    conversions: unitsFromDecimal(conversions, MICRO_DIGITS),
  }));
}

/** The day's part of each cost of its month; the parts of all days sum to the cost. */
async function readSharedCosts(client: PoolClient, date: string): Promise<SharedCost[]> {
  const { rows } = await client.query<{
    name: string;
    currency: string;
    amount: string;
    spread_by: SharedCost['spreadBy'];
  }>(
    `SELECT name, currency, amount, spread_by FROM shared_cost WHERE month = date_trunc('month', $1::date) ORDER BY id`,
    [date],
  );
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number);
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return rows.map(({ name, currency, amount, spread_by: spreadBy }) => {
    const minor = divideRounded(unitsFromDecimal(amount, MICRO_DIGITS), microsPerMinor(currency));
    const parts = apportion(
      minor,
      Array.from({ length: daysInMonth }, () => 1n),
    );
    return { name, currency, minor: parts[day - 1] ?? 0n, spreadBy };
  });
}
