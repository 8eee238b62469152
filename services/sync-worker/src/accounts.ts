/** The ad accounts of a tenant: the state that a sync reads and writes. */
import type { Queryable, StoredAccount } from '@stratum/shared';
import type { PlatformError, PlatformName } from '@stratum/connectors/ad-platforms';

export interface SyncAccount extends StoredAccount {
  platform: PlatformName;
  lastSyncedAt: Date | null;
}

interface AccountRow {
  id: string;
  external_id: string;
  currency: string;
  time_zone: string;
  last_synced_at: Date | null;
  credentials_ciphertext: Buffer;
  credentials_key_id: string;
}

/** Accounts that are connected and have credentials. */
export async function loadAccounts(client: Queryable, platform: PlatformName): Promise<SyncAccount[]> {
  const { rows } = await client.query<AccountRow>(
    `SELECT id, external_id, currency, time_zone, last_synced_at, credentials_ciphertext, credentials_key_id
     FROM platform_account
     WHERE platform = $1 AND status = 'connected' AND credentials_ciphertext IS NOT NULL
     ORDER BY id`,
    [platform],
  );
  return rows.map((row) => ({
    id: row.id,
    platform,
    externalId: row.external_id,
    currency: row.currency,
    timeZone: row.time_zone,
    lastSyncedAt: row.last_synced_at,
    ciphertext: row.credentials_ciphertext,
    keyId: row.credentials_key_id,
  }));
}

export async function markAccountSynced(client: Queryable, accountId: string, syncedAt: Date): Promise<void> {
  await client.query(
    `UPDATE platform_account SET last_synced_at = $2, last_error = NULL, rate_limited_until = NULL WHERE id = $1`,
    [accountId, syncedAt],
  );
}

/** An account whose access has ended is not asked again until somebody connects it anew. */
export async function markAccountFailed(
  client: Queryable,
  accountId: string,
  error: PlatformError,
): Promise<void> {
  const ended = error.kind === 'auth_expired' || error.kind === 'permission';
  const until = error.retryAfterMs === undefined ? null : new Date(Date.now() + error.retryAfterMs);
  await client.query(
    `UPDATE platform_account
     SET last_error = $2, rate_limited_until = $3, status = CASE WHEN $4 THEN 'needs_reconnect' ELSE status END
     WHERE id = $1`,
    [accountId, error.message, error.kind === 'rate_limited' ? until : null, ended],
  );
}
