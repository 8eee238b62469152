/** A tenant's accounts on the ad platforms. All of it inside the caller's transaction, as the tenant. */
import type { AccountDescription, PlatformName, PlatformCredentials } from '@stratum/connectors/ad-platforms';
import { sealCredentials } from '../credentials/credentials.js';
import type { KeyRing } from '../credentials/key-ring.js';
import type { Queryable } from '../database/database.js';

export type AdAccountStatus = 'connected' | 'needs_reconnect' | 'disconnected';

export interface AdAccount {
  id: number;
  platform: PlatformName;
  /** As the platform's API writes it. */
  externalId: string;
  name: string;
  currency: string;
  timeZone: string;
  status: AdAccountStatus;
  /** Of the last sync that failed. */
  lastError: string | null;
  lastSyncedAt: Date | null;
  /** What counts as a conversion, as the platform names it; `null`: by the objective of each campaign. */
  conversionActions: string[] | null;
}

interface AdAccountRow {
  id: string;
  platform: PlatformName;
  external_id: string;
  name: string;
  currency: string;
  time_zone: string;
  status: AdAccountStatus;
  last_error: string | null;
  last_synced_at: Date | null;
  conversion_actions: string[] | null;
}

const COLUMNS =
  'id, platform, external_id, name, currency, time_zone, status, last_error, last_synced_at, conversion_actions';

/** By platform and id. */
export async function listAdAccounts(client: Queryable): Promise<AdAccount[]> {
  const { rows } = await client.query<AdAccountRow>(
    `SELECT ${COLUMNS} FROM platform_account WHERE tenant_id = current_tenant() ORDER BY platform, external_id`,
  );
  return rows.map(toAccount);
}

/** Those after an id. */
export async function pageOfAdAccounts(
  client: Queryable,
  { after, limit }: { after: number; limit: number },
): Promise<AdAccount[]> {
  const { rows } = await client.query<AdAccountRow>(
    `SELECT ${COLUMNS} FROM platform_account WHERE tenant_id = current_tenant() AND id > $1 ORDER BY id LIMIT $2`,
    [after, limit],
  );
  return rows.map(toAccount);
}

export async function findAdAccount(client: Queryable, id: number): Promise<AdAccount | undefined> {
  const { rows } = await client.query<AdAccountRow>(
    `SELECT ${COLUMNS} FROM platform_account WHERE tenant_id = current_tenant() AND id = $1`,
    [id],
  );
  return rows.map(toAccount)[0];
}

function toAccount(row: AdAccountRow): AdAccount {
  return {
    id: Number(row.id),
    platform: row.platform,
    externalId: row.external_id,
    name: row.name,
    currency: row.currency,
    timeZone: row.time_zone,
    status: row.status,
    lastError: row.last_error,
    lastSyncedAt: row.last_synced_at,
    conversionActions: row.conversion_actions,
  };
}

export interface ConnectedAccount {
  tenantId: number;
  externalId: string;
  credentials: PlatformCredentials;
  /** The account as the platform describes it. */
  description: AccountDescription;
}

/** Adds the account, or gives one that is there new credentials: its campaigns and their history stay. Returns its id. */
export async function connectAdAccount(
  client: Queryable,
  keys: KeyRing,
  { tenantId, externalId, credentials, description }: ConnectedAccount,
): Promise<number> {
  const { platform } = credentials;
  const sealed = sealCredentials(keys, { tenantId, platform, externalId }, credentials);
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO platform_account (tenant_id, platform, external_id, name, currency, time_zone, status, credentials_ciphertext, credentials_key_id)
     VALUES ($1, $2, $3, $4, $5, $6, 'connected', $7, $8)
     ON CONFLICT (tenant_id, platform, external_id) DO UPDATE SET name = $4, currency = $5, time_zone = $6, status = 'connected',
       credentials_ciphertext = $7, credentials_key_id = $8, rate_limited_until = NULL, last_error = NULL
     RETURNING id`,
    [
      tenantId,
      platform,
      externalId,
      description.name,
      description.currency,
      description.timeZone,
      sealed.ciphertext,
      sealed.keyId,
    ],
  );
  return Number(rows[0]?.id);
}

/**
 * The next sync reads the platform's whole attribution window again, with the ads of the last days; days before keep what was counted then.
 * @param actions as `parseConversionActions` returns them; `null`: by the objective of each campaign
 */
export async function chooseConversions(
  client: Queryable,
  platform: PlatformName,
  externalId: string,
  actions: readonly string[] | null,
): Promise<AdAccount | undefined> {
  const { rows } = await client.query<AdAccountRow>(
    `UPDATE platform_account SET conversion_actions = $3, attributed_at = NULL, creatives_synced_at = NULL
     WHERE tenant_id = current_tenant() AND platform = $1 AND external_id = $2 RETURNING ${COLUMNS}`,
    [platform, externalId, actions],
  );
  return rows.map(toAccount)[0];
}

/** Forgets the credentials; campaigns and their history stay. Returns whether the account was connected. */
export async function disconnectAdAccount(
  client: Queryable,
  platform: PlatformName,
  externalId: string,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE platform_account SET status = 'disconnected', credentials_ciphertext = NULL, credentials_key_id = NULL, rate_limited_until = NULL
     WHERE platform = $1 AND external_id = $2 AND status <> 'disconnected'`,
    [platform, externalId],
  );
  return rowCount === 1;
}
