/** The secrets of the demonstration: made when it is seeded, encrypted at rest, and shown by `stratum demonstration`. */
import { openCredentials, sealCredentials, withTenant, type KeyRing } from '@stratum/shared';
import { createSource, listSources, rotateWriteKey } from '@stratum/shared/customer-events';
import {
  webhookPath,
  listWebhookEndpoints,
  readWebhookSecret,
  type SourceName,
} from '@stratum/shared/webhooks';
import type { Pool, PoolClient } from 'pg';
import { z } from 'zod';
import { DEMO_TENANT_ID } from './tenants.js';

export interface MadeKeys {
  tenant_id: number;
  /** Of its web site; only the first demonstration tenant has one. */
  write_key: string | null;
  /** `path` follows the address of the API. */
  webhooks: { source: SourceName; name: string; path: string; secret: string }[];
}

const SOURCE_NAME = 'Web site';
const sealedSchema = z.object({ key_id: z.string(), ciphertext: z.base64() });
const owner = (tenantId: number): { tenantId: number; platform: string; externalId: string } => ({
  tenantId,
  platform: 'demonstration',
  externalId: 'write_key',
});

/** The tenant's web site has a write key of this database's own. Inside the caller's transaction, as the tenant. */
export async function ensureWriteKey(client: PoolClient, keys: KeyRing, tenantId: number): Promise<void> {
  if ((await readWriteKey(client, keys, tenantId)) !== null) return;
  const present = (await listSources(client)).find(({ name }) => name === SOURCE_NAME);
  // One that an earlier version made has a key that everybody knows.
  const made =
    present === undefined
      ? await createSource(client, { name: SOURCE_NAME })
      : await rotateWriteKey(client, present.id, 0);
  if (made === undefined) return;
  await client.query(
    `UPDATE event_source SET status = 'enabled' WHERE tenant_id = current_tenant() AND id = $1`,
    [made.source.id],
  );
  const { keyId, ciphertext } = sealCredentials(keys, owner(tenantId), made.writeKey);
  await client.query(
    `UPDATE tenant SET settings = settings || jsonb_build_object('write_key', $2::jsonb) WHERE id = $1`,
    [tenantId, JSON.stringify({ key_id: keyId, ciphertext: ciphertext.toString('base64') })],
  );
}

async function readWriteKey(client: PoolClient, keys: KeyRing, tenantId: number): Promise<string | null> {
  const { rows } = await client.query<{ sealed: unknown }>(
    `SELECT settings -> 'write_key' AS sealed FROM tenant WHERE id = $1 AND is_demonstration`,
    [tenantId],
  );
  const sealed = sealedSchema.safeParse(rows[0]?.sealed).data;
  if (sealed === undefined) return null;
  const ciphertext = Buffer.from(sealed.ciphertext, 'base64');
  return z.string().parse(openCredentials(keys, owner(tenantId), { keyId: sealed.key_id, ciphertext }));
}

/** Of a demonstration tenant. Run as the owner of the database. */
export function readMadeKeys(
  pool: Pool,
  keys: KeyRing,
  tenantId: number = DEMO_TENANT_ID,
): Promise<MadeKeys> {
  return withTenant(pool, tenantId, async (client) => {
    const { rowCount } = await client.query('SELECT FROM tenant WHERE id = $1 AND is_demonstration', [
      tenantId,
    ]);
    if (rowCount === 0) throw new Error(`There is no demonstration tenant ${tenantId}.`);
    const webhooks: MadeKeys['webhooks'] = [];
    for (const endpoint of await listWebhookEndpoints(client)) {
      const secret = await readWebhookSecret(client, keys, endpoint);
      if (secret !== undefined)
        webhooks.push({ source: endpoint.source, name: endpoint.name, path: webhookPath(endpoint), secret });
    }
    return { tenant_id: tenantId, write_key: await readWriteKey(client, keys, tenantId), webhooks };
  });
}
