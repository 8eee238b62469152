/** The ad accounts of a tenant: the state that a sync reads and writes. */
import { TaskError } from '@stratum/jobs';
import type { Queryable, StoredAccount } from '@stratum/shared';
import { PlatformError, type PlatformName } from '@stratum/connectors/ad-platforms';

export interface SyncAccount extends StoredAccount {
  platform: PlatformName;
  lastSyncedAt: Date | null;
  /** When the platform's whole attribution window was last read. */
  attributedAt: Date | null;
  /** When its creatives were last read. */
  creativesSyncedAt: Date | null;
  conversionActions: string[] | null;
}

interface AccountRow {
  id: string;
  external_id: string;
  currency: string;
  time_zone: string;
  last_synced_at: Date | null;
  attributed_at: Date | null;
  creatives_synced_at: Date | null;
  conversion_actions: string[] | null;
  credentials_ciphertext: Buffer;
  credentials_key_id: string;
}

/** Accounts that are connected and have credentials. */
export async function loadAccounts(client: Queryable, platform: PlatformName): Promise<SyncAccount[]> {
  const { rows } = await client.query<AccountRow>(
    `SELECT id, external_id, currency, time_zone, last_synced_at, attributed_at, creatives_synced_at, conversion_actions, credentials_ciphertext, credentials_key_id
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
    attributedAt: row.attributed_at,
    creativesSyncedAt: row.creatives_synced_at,
    conversionActions: row.conversion_actions,
    ciphertext: row.credentials_ciphertext,
    keyId: row.credentials_key_id,
  }));
}

/** Why there is nothing to sync. Success would say that the data are fresh. */
export async function noAccount(client: Queryable, platform: PlatformName): Promise<TaskError> {
  const { rows } = await client.query<{ external_id: string; last_error: string | null }>(
    `SELECT external_id, last_error FROM platform_account WHERE platform = $1 AND status = 'needs_reconnect' ORDER BY id LIMIT 5`,
    [platform],
  );
  const ended = rows.map(({ external_id: id, last_error: why }) => (why === null ? id : `${id} (${why})`));
  const message =
    ended.length === 0
      ? `The tenant has no connected account on ${platform}: connect one, then sync again.`
      : `The access to every account on ${platform} has ended: connect them again. ${ended.join('; ')}`;
  return new TaskError(message, { retryable: false });
}

/** Accounts that this task has synced in an attempt before this one. */
export async function syncedBy(client: Queryable, taskId: string): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ account_id: string }>(
    `SELECT DISTINCT account_id FROM sync_run WHERE task_id = $1 AND outcome = 'succeeded'`,
    [taskId],
  );
  return new Set(rows.map(({ account_id: id }) => id));
}

export async function markAccountSynced(
  client: Queryable,
  accountId: string,
  { syncedAt, since, isWhole }: { syncedAt: Date; since: string; isWhole: boolean },
): Promise<void> {
  await client.query(
    `UPDATE platform_account
     SET last_synced_at = $2, last_error = NULL, rate_limited_until = NULL, covered_since = least(covered_since, $3::date),
       attributed_at = CASE WHEN $4 THEN $2 ELSE attributed_at END
     WHERE id = $1`,
    [accountId, syncedAt, since, isWhole],
  );
}

/** An account whose access has ended is not asked again until somebody connects it anew. */
export async function markAccountFailed(client: Queryable, accountId: string, error: unknown): Promise<void> {
  const failure = error instanceof PlatformError ? error : undefined;
  const ended = failure?.kind === 'auth_expired' || failure?.kind === 'permission';
  const wait = failure?.kind === 'rate_limited' ? failure.retryAfterMs : undefined;
  const until = wait === undefined ? null : new Date(Date.now() + wait);
  await client.query(
    `UPDATE platform_account
     SET last_error = $2, rate_limited_until = $3, status = CASE WHEN $4 THEN 'needs_reconnect' ELSE status END
     WHERE id = $1`,
    [accountId, error instanceof Error ? error.message : 'unknown', until, ended],
  );
}
