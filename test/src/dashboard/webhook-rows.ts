/** Webhooks of both directions, with events. */
import { withTenant } from '@stratum/shared';
import { TENANT, type Platform } from '../harness/platform.js';

export const ENDPOINT = 'endpoint00000001';
export const SUBSCRIPTION = 'subscription0001';

/** Returns the id of the endpoint's delivery. An endpoint with a failed event, and a subscription with a failed and a waiting one. */
export async function addWebhooks({ database: { owner } }: Platform): Promise<number> {
  return withTenant(owner, TENANT, async (client) => {
    await client.query(
      `INSERT INTO webhook_endpoint (tenant_id, id, token, source, name, secret, secret_key_id)
       VALUES ($1, $2, $3, 'shopify', 'Shop', '', 'k')`,
      [TENANT, ENDPOINT, 'token0000000000000000001'],
    );
    const { rows } = await client.query<{ id: string }>(
      `INSERT INTO inbound_webhook_delivery (tenant_id, endpoint_id, dedup_key, identity, type, received_at, state, error, body, body_key_id)
       VALUES ($1, $2, 'a', 'a', 'orders/paid', now(), 'failed', 'No such product', 'secret body', 'k') RETURNING id`,
      [TENANT, ENDPOINT],
    );
    await client.query(
      `INSERT INTO subscription (tenant_id, id, url, event_types, secret, secret_key_id)
       VALUES ($1, $2, 'https://crm.example.com/hooks/a-secret', '{alert.triggered}', '', 'k')`,
      [TENANT, SUBSCRIPTION],
    );
    for (const state of ['failed', 'pending'])
      await client.query(
        `WITH event AS (
           INSERT INTO domain_event (tenant_id, type, data, occurred_at, published_at) VALUES ($1, 'alert.triggered', '{}', now(), now()) RETURNING id
         ) INSERT INTO outbound_webhook_message (tenant_id, subscription_id, event_id, state, next_attempt_at, finished_at)
           SELECT $1, $2, id, $3, CASE WHEN $3 = 'pending' THEN now() END, CASE WHEN $3 = 'failed' THEN now() END FROM event`,
        [TENANT, SUBSCRIPTION, state],
      );
    return Number(rows[0]?.id);
  });
}
