/** Demonstration data: a tenant with an account on each platform, and a second tenant that must never show in the first one's results. */
import type { Pool } from 'pg';
import { sealCredentials, type KeyRing, withTenant } from '@stratum/shared';
import type { PlatformCredentials } from '@stratum/connectors/ad-platforms';
import { createSource } from '@stratum/shared/customer-events';

export const DEMO_TENANT_ID = 1;
/** Has an account on Meta. */
export const OTHER_TENANT_ID = 2;
/** Of the demonstration tenant's web site; worth nothing anywhere else. */
export const DEMO_WRITE_KEY = 'wk_demonstration_web_site';

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

/** Returns how many accounts were added; 0 when all were there. Run as the owner of the database. */
export async function seed(pool: Pool, keys: KeyRing): Promise<number> {
  let added = 0;
  for (const tenant of TENANTS) {
    added += await withTenant(pool, tenant.id, async (client) => {
      await client.query(
        `INSERT INTO tenant (id, name, currency, time_zone) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
        [tenant.id, tenant.name, tenant.currency, tenant.timeZone],
      );
      let rows = 0;
      for (const { externalId, currency, credentials } of tenant.accounts) {
        const { platform } = credentials;
        const sealed = sealCredentials(keys, { tenantId: tenant.id, platform, externalId }, credentials);
        const { rowCount } = await client.query(
          `INSERT INTO platform_account (tenant_id, platform, external_id, currency, credentials_ciphertext, credentials_key_id)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, platform, external_id) DO NOTHING`,
          [tenant.id, platform, externalId, currency, sealed.ciphertext, sealed.keyId],
        );
        rows += rowCount ?? 0;
      }
      return rows;
    });
  }
  await withTenant(pool, DEMO_TENANT_ID, async (client) => {
    const { rowCount } = await client.query('SELECT FROM event_source WHERE tenant_id = $1', [
      DEMO_TENANT_ID,
    ]);
    if (rowCount === 0) await createSource(client, { name: 'Web site', writeKey: DEMO_WRITE_KEY });
  });
  // The next tenant gets a number behind those given here.
  await pool.query(`SELECT setval(pg_get_serial_sequence('tenant', 'id'), (SELECT max(id) FROM tenant))`);
  return added;
}
