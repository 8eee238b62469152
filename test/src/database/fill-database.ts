import { parseKeyRing, seed, seedDemonstration, withTenant } from '@stratum/shared';
import { createSource } from '@stratum/shared/customer-events';
import { testKeyText, type TestDatabase } from '../harness/index.js';

/** Two tenants with rows in every table that people and syncs fill. */
export async function fillDatabase(
  { owner }: TestDatabase,
  {
    keyText = testKeyText(),
    sandboxUrl = 'http://127.0.0.1:1',
  }: { keyText?: string; sandboxUrl?: string } = {},
): Promise<void> {
  const keys = parseKeyRing(keyText);
  await seed(owner, keys);
  for (const tenantId of [1, 2]) {
    await withTenant(owner, tenantId, (client) => createSource(client, { name: 'Application' }));
    await owner.query(
      `INSERT INTO campaign (tenant_id, account_id, external_id, name, status, platform_status, currency, last_synced_at)
       SELECT tenant_id, id, 'x', 'X', 'active', 'ACTIVE', currency, now() FROM platform_account WHERE tenant_id = $1`,
      [tenantId],
    );
    await owner.query(
      `INSERT INTO campaign_metric_daily (tenant_id, campaign_id, date, currency, impressions, clicks, spend, conversions, revenue)
       SELECT tenant_id, id, current_date - day, currency, 2000 + day, 40 + day % 7, CASE WHEN day = 1 THEN 150 ELSE 50 + day % 7 END, 5, 120 FROM campaign, generate_series(1, 40) day WHERE tenant_id = $1`,
      [tenantId],
    );
  }
  await seedDemonstration(owner, keys, {
    sandboxUrl,
    whatsappToken: 'x',
    wordpress: { name: 'x', applicationPassword: 'x' },
    now: new Date(),
  });
}
