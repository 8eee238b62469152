/** The tenant that visitors come to: what its own people would have set up. */
import { parseKeyRing, withTenant } from '@stratum/shared';
import { createApiKey } from '@stratum/shared/api-keys';
import { createSource } from '@stratum/shared/customer-events';
import { createWebhookEndpoint, webhookPath } from '@stratum/shared/webhooks';
import type { Pool } from 'pg';

/** Another one than the tenant of the crash suite's own tasks. */
const VISITED_TENANT = 2;

const WEBHOOK_SECRET = 'shpss_of_the_crash_suite';

export interface Access {
  /** Of the services. */
  credentialsKey: string;
  writeKey: string;
  apiKey: string;
  webhookPath: string;
  webhookSecret: string;
}

export async function prepareAccess(pool: Pool): Promise<Access> {
  const credentialsKey = `crash:${Buffer.alloc(32, 7).toString('base64')}`;
  await pool.query(`INSERT INTO tenant (id, name, currency) VALUES ($1, 'Visited', 'USD')`, [VISITED_TENANT]);
  return withTenant(pool, VISITED_TENANT, async (client) => {
    const { writeKey } = await createSource(client, { name: 'Web site' });
    const { text: apiKey } = await createApiKey(client, {
      tenantId: VISITED_TENANT,
      name: 'Program',
      scopes: ['tasks:write', 'tasks:read'],
    });
    const { endpoint } = await createWebhookEndpoint(client, parseKeyRing(credentialsKey), {
      tenantId: VISITED_TENANT,
      source: 'shopify',
      name: 'Shop',
      secret: WEBHOOK_SECRET,
    });
    return {
      credentialsKey,
      writeKey,
      apiKey,
      webhookPath: webhookPath(endpoint),
      webhookSecret: WEBHOOK_SECRET,
    };
  });
}
