/** API keys: made, listed, rotated, revoked, and recognised. */
import type { Pool } from 'pg';
import { PLATFORM_TENANT_ID } from '../database/tenants.js';
import { withTenant, type Queryable } from '../database/database.js';
import { requireRoom } from '../quotas/quotas.js';
import { isScope, TENANT_SCOPES, type Scope } from './scopes.js';
import { formatKey, hashSecret, matchesAny, newKeyId, newSecret, parseKey } from './secret.js';

export interface ApiKey {
  id: string;
  tenantId: number;
  name: string;
  scopes: Scope[];
  createdAt: Date;
  expiresAt: Date | null;
  rotatedAt: Date | null;
  revokedAt: Date | null;
  /** To the minute. */
  lastUsedAt: Date | null;
}

/** The caller of a request. */
export interface Principal {
  keyId: string;
  /** `undefined`: the key is the platform's, and works for every tenant. */
  tenantId: number | undefined;
  scopes: ReadonlySet<Scope>;
}

/** A key that cannot be made as it was asked for. */
export class ApiKeyError extends Error {
  readonly code = 'invalid_api_key_options';

  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message);
    this.name = 'ApiKeyError';
  }
}

/** How long the secret before a rotation goes on working, in milliseconds. */
export const ROTATION_GRACE_MS = 24 * 3_600_000;
const COLUMNS = 'id, tenant_id, name, scopes, created_at, expires_at, rotated_at, revoked_at, last_used_at';

interface KeyRow {
  id: string;
  tenant_id: string;
  name: string;
  scopes: string[];
  created_at: Date;
  expires_at: Date | null;
  rotated_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
}

function toKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    tenantId: Number(row.tenant_id),
    name: row.name,
    scopes: row.scopes.filter(isScope),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    rotatedAt: row.rotated_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  };
}

/**
 * Inside the caller's transaction, as the tenant. The key's text is returned this once and kept nowhere.
 * @throws ApiKeyError when a tenant's key asks for what is the platform's; QuotaExceededError
 */
export async function createApiKey(
  client: Queryable,
  options: { tenantId: number; name: string; scopes: readonly Scope[]; expiresAt?: Date },
): Promise<{ key: ApiKey; text: string }> {
  const { tenantId, name, scopes, expiresAt } = options;
  const foreign = scopes.filter((scope) => !TENANT_SCOPES.includes(scope));
  if (tenantId !== PLATFORM_TENANT_ID && foreign.length > 0)
    throw new ApiKeyError('scopes', `Only a key of the platform can have: ${foreign.join(', ')}.`);
  await requireRoom(client, 'api_keys');
  const [id, secret] = [newKeyId(), newSecret()];
  const { rows } = await client.query<KeyRow>(
    `INSERT INTO api_key (tenant_id, id, name, scopes, secret_hash, expires_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${COLUMNS}`,
    [tenantId, id, name, [...new Set(scopes)], hashSecret(secret), expiresAt ?? null],
  );
  const key = rows.map(toKey)[0];
  if (key === undefined) throw new Error('The key was not stored.');
  return { key, text: formatKey({ id, secret }) };
}

/**
 * Why this caller may not have the secret of a key with these scopes and this end: it would have more, or for longer, than by its own key.
 * `undefined`: it may.
 */
export async function excessOver(
  pool: Pool,
  { keyId, tenantId, scopes }: Principal,
  wanted: Pick<ApiKey, 'id' | 'scopes' | 'expiresAt'>,
): Promise<string | undefined> {
  if (wanted.id === keyId) return undefined;
  const excess = wanted.scopes.filter((scope) => !scopes.has(scope));
  if (excess.length > 0) return `A key cannot grant scopes that it lacks: ${excess.join(', ')}.`;
  const own = await withTenant(pool, tenantId ?? PLATFORM_TENANT_ID, (client) => findApiKey(client, keyId));
  const end = own?.expiresAt ?? undefined;
  if (end === undefined || (wanted.expiresAt !== null && wanted.expiresAt <= end)) return undefined;
  return `A key cannot grant more time than it has: its own end is ${end.toISOString()}.`;
}

/** The key of this id; `undefined` when there is none. Inside the caller's transaction, as the tenant. */
export async function findApiKey(client: Queryable, id: string): Promise<ApiKey | undefined> {
  const { rows } = await client.query<KeyRow>(
    `SELECT ${COLUMNS} FROM api_key WHERE tenant_id = current_tenant() AND id = $1`,
    [id],
  );
  return rows.map(toKey)[0];
}

/** The tenant's keys, the newest first, revoked ones included, those after the key `after`. Inside the caller's transaction, as the tenant. */
export async function listApiKeys(
  client: Queryable,
  { after, limit }: { after?: string | undefined; limit?: number } = {},
): Promise<ApiKey[]> {
  const { rows } = await client.query<KeyRow>(
    `SELECT ${COLUMNS} FROM api_key k WHERE tenant_id = current_tenant() AND ($1::text IS NULL OR EXISTS (
       SELECT FROM api_key a WHERE a.tenant_id = current_tenant() AND a.id = $1
         AND (k.created_at < a.created_at OR (k.created_at = a.created_at AND k.id > a.id))))
     ORDER BY created_at DESC, id LIMIT $2`,
    [after ?? null, limit ?? null],
  );
  return rows.map(toKey);
}

/** A new secret; the one before works for `graceMs` more. `undefined` when there is no usable key of that id. */
export async function rotateApiKey(
  client: Queryable,
  id: string,
  graceMs: number = ROTATION_GRACE_MS,
): Promise<{ key: ApiKey; text: string } | undefined> {
  const secret = newSecret();
  const { rows } = await client.query<KeyRow>(
    `UPDATE api_key SET previous_hash = secret_hash, previous_until = now() + $3 * interval '1 millisecond', secret_hash = $2, rotated_at = now()
     WHERE tenant_id = current_tenant() AND id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) RETURNING ${COLUMNS}`,
    [id, hashSecret(secret), graceMs],
  );
  const key = rows.map(toKey)[0];
  return key && { key, text: formatKey({ id, secret }) };
}

/** It works no longer, from now on. `false` when there was no such key, or it was revoked before. */
export async function revokeApiKey(client: Queryable, id: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'UPDATE api_key SET revoked_at = now() WHERE tenant_id = current_tenant() AND id = $1 AND revoked_at IS NULL',
    [id],
  );
  return rowCount === 1;
}

const USE_NOTED_EVERY_MS = 60_000;

/** Whose key it is; `undefined` when it is none, or none any more. As `stratum_api`. */
export async function authenticateApiKey(pool: Pool, text: string): Promise<Principal | undefined> {
  const parsed = parseKey(text);
  if (parsed === undefined) return undefined;
  const { rows } = await pool.query<{
    tenant_id: string;
    scopes: string[];
    secret_hash: Buffer;
    previous_hash: Buffer | null;
    last_used_at: Date | null;
  }>('SELECT * FROM usable_api_key($1)', [parsed.id]);
  const row = rows[0];
  // An unknown id takes as long as a wrong secret.
  const isRight = matchesAny(parsed.secret, [row?.secret_hash ?? null, row?.previous_hash ?? null]);
  if (row === undefined || !isRight) return undefined;
  const tenantId = Number(row.tenant_id);
  if ((row.last_used_at?.getTime() ?? 0) < Date.now() - USE_NOTED_EVERY_MS) {
    await withTenant(pool, tenantId, (client) =>
      client.query('UPDATE api_key SET last_used_at = now() WHERE tenant_id = $1 AND id = $2', [
        tenantId,
        parsed.id,
      ]),
    );
  }
  return {
    keyId: parsed.id,
    tenantId: tenantId === PLATFORM_TENANT_ID ? undefined : tenantId,
    scopes: new Set(row.scopes.filter(isScope)),
  };
}
