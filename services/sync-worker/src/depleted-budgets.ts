/**
 * Campaigns whose spend has reached their budget, reported once: for each day, or once for a lifetime budget of one amount. Searched at the
 * end of a sync, because that is when spend and budgets are fresh. An account's first sync only takes note: money spent before anybody
 * listened is no news.
 */
import { recordDomainEvents, type DomainEvent } from '@stratum/shared';
import { addDays, localDate } from '@stratum/connectors/values';
import type { PoolClient } from 'pg';
import type { SyncAccount } from './accounts.js';

interface DepletedBudget {
  campaign_id: string;
  external_id: string;
  name: string;
  budget: 'daily' | 'lifetime';
  date: string | null;
  amount: string;
  spent: string;
  currency: string;
}

/**
 * The stored days are a lower bound of a lifetime's spend, so a budget that their sum reaches is depleted; only campaigns that have spent in
 * these days are summed up. The key is written in the transaction of the event, so two syncs do not both report it.
 */
const DEPLETED = `
  WITH recent AS (
    SELECT c.id, c.external_id, c.name, c.currency, c.daily_budget, c.lifetime_budget, m.date, m.spend
    FROM campaign c JOIN campaign_metric_daily m
      ON m.tenant_id = c.tenant_id AND m.campaign_id = c.id AND m.currency = c.currency AND m.date BETWEEN $2::date AND $3::date
    WHERE c.tenant_id = current_tenant() AND c.account_id = $1 AND c.removed_at IS NULL AND m.spend > 0
      AND (m.date = $3 OR NOT c.id = ANY ($4::bigint[]))
  ), reached AS (
    SELECT id, external_id, name, currency, 'daily' AS budget, date, daily_budget AS amount, spend AS spent,
      'budget.depleted/' || id || '/' || date AS key
    FROM recent WHERE daily_budget > 0 AND spend >= daily_budget
    UNION ALL
    SELECT spender.id, external_id, name, currency, 'lifetime', NULL, lifetime_budget, total.spend, spender.key
    FROM (SELECT DISTINCT id, external_id, name, currency, lifetime_budget,
            'budget.depleted/' || id || '/lifetime/' || trim_scale(lifetime_budget) AS key
          FROM recent WHERE lifetime_budget > 0) spender
    CROSS JOIN LATERAL (
      SELECT sum(m.spend) AS spend FROM campaign_metric_daily m
      WHERE m.tenant_id = current_tenant() AND m.campaign_id = spender.id AND m.currency = spender.currency) total
    WHERE total.spend >= lifetime_budget AND NOT EXISTS (
      SELECT FROM processed_key reported WHERE reported.tenant_id = current_tenant() AND reported.key = spender.key)
  ), fresh AS (
    INSERT INTO processed_key (tenant_id, key) SELECT current_tenant(), key FROM reached ON CONFLICT DO NOTHING RETURNING key
  )
  SELECT id AS campaign_id, external_id, name, budget, date::text, trim_scale(amount)::text AS amount, trim_scale(spent)::text AS spent, currency
  FROM reached JOIN fresh USING (key) ORDER BY id, date`;

/**
 * Inside the caller's transaction, as the tenant. The first sync of a day looks at the day before, too: its last hours came with it.
 * @param rebudgeted campaigns whose daily budget this sync has changed: the budget of the day before is no longer known
 */
export async function tellDepletedBudgets(
  client: PoolClient,
  account: Pick<SyncAccount, 'id' | 'platform' | 'timeZone' | 'lastSyncedAt'>,
  now: Date,
  rebudgeted: readonly string[],
): Promise<void> {
  const { lastSyncedAt, timeZone, platform } = account;
  const today = localDate(now, timeZone);
  const isFirstOfDay = lastSyncedAt === null || localDate(lastSyncedAt, timeZone) < today;
  const { rows } = await client.query<DepletedBudget>(DEPLETED, [
    account.id,
    isFirstOfDay ? addDays(today, -1) : today,
    today,
    rebudgeted,
  ]);
  if (lastSyncedAt === null) return;
  await recordDomainEvents(
    client,
    rows.map(({ campaign_id: id, ...depleted }): DomainEvent => {
      const data = { campaign_id: Number(id), platform, ...depleted };
      return { type: 'budget.depleted', data, at: now };
    }),
  );
}
