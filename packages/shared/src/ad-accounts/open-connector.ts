/** The connector of a stored ad account. */
import { adPlatform, type PlatformConnector, type PlatformEndpoints } from '@stratum/connectors/ad-platforms';
import type { Pool } from 'pg';
import { openCredentials, sealCredentials } from '../credentials/credentials.js';
import type { KeyRing } from '../credentials/key-ring.js';
import { withTenant } from '../database/database.js';

export interface ConnectorDependencies {
  /** May read and update `platform_account`. */
  pool: Pool;
  keys: KeyRing;
  endpoints: PlatformEndpoints;
  /** For each request to a platform, in milliseconds. */
  requestTimeoutMs: number;
}

/** A row of `platform_account`. */
export interface StoredAccount {
  id: string;
  platform: string;
  /** As the platform's API writes it. */
  externalId: string;
  currency: string;
  timeZone: string;
  /** What its owner has chosen to count as conversions; for connectors that read figures. */
  conversionActions?: readonly string[] | null;
  ciphertext: Buffer;
  keyId: string;
}

/** A connector with the account's credentials. A refreshed access token is stored, encrypted. */
export function openConnector(
  { pool, keys, endpoints, requestTimeoutMs }: ConnectorDependencies,
  tenantId: number,
  account: StoredAccount,
): PlatformConnector {
  const { platform, externalId } = account;
  const owner = { tenantId, platform, externalId };
  const sealed = { keyId: account.keyId, ciphertext: account.ciphertext };
  return adPlatform(platform).connect({
    accountId: externalId,
    currency: account.currency,
    timeZone: account.timeZone,
    conversionActions: account.conversionActions,
    credentials: openCredentials(keys, owner, sealed),
    endpoints,
    timeoutMs: requestTimeoutMs,
    onCredentialsRefreshed: async (credentials) => {
      const { ciphertext, keyId } = sealCredentials(keys, owner, credentials);
      await withTenant(pool, tenantId, (client) =>
        client.query(
          'UPDATE platform_account SET credentials_ciphertext = $2, credentials_key_id = $3 WHERE id = $1',
          [account.id, ciphertext, keyId],
        ),
      );
    },
  });
}
