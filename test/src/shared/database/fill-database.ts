import { createApiKey } from '@stratum/shared/api-keys';
import { parseKeyRing, withTenant, type KeyRing } from '@stratum/shared';
import { markForDemonstration, seed, seedDemonstration } from '@stratum/cli/demonstration';
import { addTestEvent, createSubscription } from '@stratum/shared/subscriptions';
import type { Pool } from 'pg';
import { createSource } from '@stratum/shared/customer-events';
import { testKeyText, type TestDatabase } from '../../harness/index.js';

/** Two tenants with rows in every table that people and syncs fill. */
export async function fillDatabase(
  { owner }: TestDatabase,
  {
    keyText = testKeyText(),
    sandboxUrl = 'http://127.0.0.1:1',
    whatsappToken = 'x',
    wordpress = { name: 'x', applicationPassword: 'x' },
  }: {
    keyText?: string;
    sandboxUrl?: string;
    whatsappToken?: string;
    wordpress?: { name: string; applicationPassword: string };
  } = {},
): Promise<void> {
  const keys = parseKeyRing(keyText);
  await markForDemonstration(owner);
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
    await owner.query(
      `INSERT INTO creative (tenant_id, campaign_id, external_id, name, type)
       SELECT tenant_id, id, id || '-' || kind, name || ' / ' || kind, 'video' FROM campaign, unnest(ARRAY['fresh', 'worn']) kind WHERE tenant_id = $1`,
      [tenantId],
    );
    await owner.query(
      `INSERT INTO creative_metric_daily (tenant_id, creative_id, date, impressions, clicks, spend, conversions, revenue, frequency)
       SELECT tenant_id, c.id, current_date - day, 2000, CASE WHEN worn THEN 5 ELSE 60 END, 50, CASE WHEN worn THEN 0 ELSE 20 END, CASE WHEN worn THEN 0 ELSE 400 END, 2
       FROM creative c, generate_series(1, 10) day, LATERAL (SELECT day = 1 AND c.name LIKE '%worn' AS worn) state WHERE tenant_id = $1`,
      [tenantId],
    );
  }
  for (const tenantId of [1, 2]) {
    await withTenant(owner, tenantId, (client) =>
      createApiKey(client, { tenantId, name: 'test', scopes: ['tasks:read'] }),
    );
  }
  await seedDemonstration(owner, keys, {
    sandboxUrl,
    whatsappToken,
    wordpress,
    now: new Date(),
  });
  for (const tenantId of [1, 2]) await addSubscription(owner, keys, tenantId);
}

/** With one event that was sent to it. */
async function addSubscription(owner: Pool, keys: KeyRing, tenantId: number): Promise<void> {
  await withTenant(owner, tenantId, async (client) => {
    const { subscription } = await createSubscription(client, keys, {
      tenantId,
      url: 'https://example.com/hook',
      eventTypes: ['segment.entered'],
      description: '',
    });
    const eventId = await addTestEvent(client, subscription.id);
    await client.query(
      `INSERT INTO outbound_webhook_attempt (tenant_id, subscription_id, event_id, attempt, at, duration_ms, status_code) VALUES ($1, $2, $3, 1, now(), 5, 200)`,
      [tenantId, subscription.id, eventId],
    );
    await client.query(
      `UPDATE outbound_webhook_message SET state = 'delivered', attempts = 1, tries = 1, next_attempt_at = NULL, finished_at = now() WHERE tenant_id = current_tenant()`,
    );
  });
}
