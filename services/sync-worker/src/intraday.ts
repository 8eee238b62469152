/** Keeps the figures of the running day as they are now: tomorrow they are "yesterday at this hour". */
import type { Queryable } from '@stratum/shared';
import { addDays, localDate } from '@stratum/connectors/values';
import type { SyncAccount } from './accounts.js';

const KEPT_DAYS = 2;

export async function keepIntraday(
  client: Queryable,
  { id, timeZone }: Pick<SyncAccount, 'id' | 'timeZone'>,
  now: Date,
): Promise<void> {
  const today = localDate(now, timeZone);
  await client.query(
    `DELETE FROM campaign_metric_intraday i USING campaign c
     WHERE c.tenant_id = current_tenant() AND c.account_id = $1 AND i.tenant_id = c.tenant_id AND i.campaign_id = c.id AND i.date < $2`,
    [id, addDays(today, -KEPT_DAYS)],
  );
  await client.query(
    `INSERT INTO campaign_metric_intraday (tenant_id, campaign_id, date, read_at, impressions, clicks, reach, spend, conversions, revenue)
     SELECT m.tenant_id, m.campaign_id, m.date, $3, m.impressions, m.clicks, m.reach, m.spend, m.conversions, m.revenue
     FROM campaign_metric_daily m JOIN campaign c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id
     WHERE c.tenant_id = current_tenant() AND c.account_id = $1 AND m.date = $2
     ON CONFLICT DO NOTHING`,
    [id, today, now],
  );
}
