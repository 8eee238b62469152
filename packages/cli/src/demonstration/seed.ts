/** Demonstration data: a tenant with an account on each platform, and a second tenant that must never show in the first one's results. */
import type { Pool, PoolClient } from 'pg';
import { sealCredentials, transaction, type KeyRing } from '@stratum/shared';
import type { PlatformCredentials } from '@stratum/connectors/ad-platforms';
import { ensureWriteKey } from './made-keys.js';
import { requireDemonstrationDatabase } from './marks.js';
import { DEMO_TENANT_ID, OTHER_TENANT_ID } from './tenants.js';

interface SeedAccount {
  externalId: string;
  currency: string;
  credentials: PlatformCredentials;
}

/** Credentials of the sandbox; valid nowhere else. */
const OAUTH = {
  clientId: 'sandbox-client',
  clientSecret: 'sandbox-secret',
  refreshToken: 'sandbox-refresh-token',
};
const META: PlatformCredentials = { platform: 'meta', accessToken: 'sandbox-meta-token' };
const GOOGLE: PlatformCredentials = {
  platform: 'google',
  developerToken: 'sandbox-developer-token',
  ...OAUTH,
};
const TIKTOK: PlatformCredentials = { platform: 'tiktok', accessToken: 'sandbox-tiktok-token' };
const SNAPCHAT: PlatformCredentials = { platform: 'snapchat', ...OAUTH };

const TENANTS: readonly {
  id: number;
  name: string;
  currency: string;
  timeZone: string;
  accounts: SeedAccount[];
}[] = [
  {
    id: DEMO_TENANT_ID,
    name: 'Northwind Outfitters',
    currency: 'USD',
    timeZone: 'America/New_York',
    accounts: [
      { externalId: '1000000001', currency: 'USD', credentials: META },
      { externalId: '2000000001', currency: 'USD', credentials: GOOGLE },
      { externalId: '7000000001', currency: 'USD', credentials: TIKTOK },
      { externalId: '5f0c1a52-7c1e-4b7a-9d55-000000000001', currency: 'USD', credentials: SNAPCHAT },
    ],
  },
  {
    id: OTHER_TENANT_ID,
    name: 'Alpenglow Reisen',
    currency: 'EUR',
    timeZone: 'Europe/Zurich',
    accounts: [{ externalId: '1000000005', currency: 'EUR', credentials: META }],
  },
];

/**
 * Returns how many accounts were added; 0 when all exist. Run as the owner of the database.
 * @throws SeedRefusedError if the database is not marked for demonstration data, or has tenants of customers
 */
export function seed(pool: Pool, keys: KeyRing): Promise<number> {
  return transaction(pool, async (client) => {
    await requireDemonstrationDatabase(client);
    let added = 0;
    for (const tenant of TENANTS) {
      await client.query("SELECT set_config('app.tenant_id', $1, true)", [String(tenant.id)]);
      await client.query(
        `INSERT INTO tenant (id, name, currency, time_zone, is_demonstration) VALUES ($1, $2, $3, $4, true) ON CONFLICT (id) DO NOTHING`,
        [tenant.id, tenant.name, tenant.currency, tenant.timeZone],
      );
      for (const account of tenant.accounts) added += await addAccount(client, keys, tenant.id, account);
      if (tenant.id === DEMO_TENANT_ID) await ensureWriteKey(client, keys, tenant.id);
    }
    return added;
  });
}

async function addAccount(
  client: PoolClient,
  keys: KeyRing,
  tenantId: number,
  { externalId, currency, credentials }: SeedAccount,
): Promise<number> {
  const { platform } = credentials;
  const sealed = sealCredentials(keys, { tenantId, platform, externalId }, credentials);
  const { rowCount } = await client.query(
    `INSERT INTO platform_account (tenant_id, platform, external_id, currency, credentials_ciphertext, credentials_key_id)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, platform, external_id) DO NOTHING`,
    [tenantId, platform, externalId, currency, sealed.ciphertext, sealed.keyId],
  );
  return rowCount ?? 0;
}
