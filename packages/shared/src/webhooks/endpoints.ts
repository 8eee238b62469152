/** Endpoints of webhooks: made, listed, changed, given new secrets, removed. All inside the caller's transaction, as the tenant. */
import type { KeyRing } from '../credentials/key-ring.js';
import type { Queryable } from '../database/database.js';
import { checkSettings, WebhookEndpointError } from './endpoint-settings.js';
import { requireRoom } from '../quotas/quotas.js';
import { randomId } from '../random-id.js';
import { openSecret, sealSecret } from './sealing.js';
import { isSourceName, SOURCES, type SourceName } from './sources.js';

export interface WebhookEndpoint {
  id: string;
  tenantId: number;
  /** The last part of its address. */
  token: string;
  source: SourceName;
  name: string;
  settings: Record<string, unknown>;
  status: 'active' | 'paused';
  createdAt: Date;
  rotatedAt: Date | null;
  /** Until then the secret before the last rotation works, too. */
  previousSecretUntil: Date | null;
}

/** How long the secret before a rotation goes on working, in seconds, unless it is said otherwise. */
export const SECRET_GRACE_SECONDS = 86_400;

const COLUMNS =
  'id, tenant_id, token, source, name, settings, status, created_at, rotated_at, CASE WHEN previous_until > now() THEN previous_until END AS previous_until';
const ID_LENGTH = 16;
const TOKEN_LENGTH = 24;
const MAX_SECRET = 500;

interface EndpointRow {
  id: string;
  tenant_id: string;
  token: string;
  source: string;
  name: string;
  settings: Record<string, unknown>;
  status: string;
  created_at: Date;
  rotated_at: Date | null;
  previous_until: Date | null;
}

function toEndpoint(row: EndpointRow): WebhookEndpoint {
  if (!isSourceName(row.source))
    throw new Error(`The endpoint ${row.id} has the unknown source ${row.source}.`);
  return {
    id: row.id,
    tenantId: Number(row.tenant_id),
    token: row.token,
    source: row.source,
    name: row.name,
    settings: row.settings,
    status: row.status === 'paused' ? 'paused' : 'active',
    createdAt: row.created_at,
    rotatedAt: row.rotated_at,
    previousSecretUntil: row.previous_until,
  };
}

export function webhookPath({ source, token }: Pick<WebhookEndpoint, 'source' | 'token'>): string {
  return `/webhooks/${source}/${token}`;
}

export interface NewEndpoint {
  tenantId: number;
  source: SourceName;
  name: string;
  /** Needed where the sender makes it. Default: a new one. */
  secret?: string | undefined;
  settings?: Readonly<Record<string, unknown>> | undefined;
}

/** `secret` is there when it was made here: it is returned this once. @throws WebhookEndpointError */
export async function createWebhookEndpoint(
  client: Queryable,
  keys: KeyRing,
  options: NewEndpoint,
): Promise<{ endpoint: WebhookEndpoint; secret: string | undefined }> {
  const { tenantId, source, name } = options;
  const settings = checkSettings(source, options.settings ?? {});
  const { secret, isNew } = secretFor(source, options.secret);
  await requireRoom(client, 'webhook_endpoints');
  const id = randomId(ID_LENGTH);
  const sealed = sealSecret(keys, { tenantId, id }, secret);
  const { rows } = await client.query<EndpointRow>(
    `INSERT INTO webhook_endpoint (tenant_id, id, token, source, name, settings, secret, secret_key_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${COLUMNS}`,
    [
      tenantId,
      id,
      randomId(TOKEN_LENGTH),
      source,
      name,
      JSON.stringify(settings),
      sealed.ciphertext,
      sealed.keyId,
    ],
  );
  const endpoint = rows.map(toEndpoint)[0];
  if (endpoint === undefined) throw new Error('The endpoint was not stored.');
  return { endpoint, secret: isNew ? secret : undefined };
}

function secretFor(source: SourceName, given: string | undefined): { secret: string; isNew: boolean } {
  const definition = SOURCES[source];
  if (given === undefined) {
    if (definition.newSecret === undefined)
      throw new WebhookEndpointError('secret', `is needed: ${definition.title}`);
    return { secret: definition.newSecret(), isNew: true };
  }
  const wrong =
    given.trim() === '' || given.length > MAX_SECRET
      ? `must have 1 to ${MAX_SECRET} characters`
      : definition.checkSecret?.(given);
  if (wrong !== undefined) throw new WebhookEndpointError('secret', wrong);
  return { secret: given, isNew: false };
}

/** The oldest first, those after the endpoint `after`. */
export async function listWebhookEndpoints(
  client: Queryable,
  { after, limit }: { after?: string | undefined; limit?: number } = {},
): Promise<WebhookEndpoint[]> {
  const { rows } = await client.query<EndpointRow>(
    `SELECT ${COLUMNS} FROM webhook_endpoint e WHERE tenant_id = current_tenant() AND removed_at IS NULL AND ($1::text IS NULL OR EXISTS (
       SELECT FROM webhook_endpoint a WHERE a.tenant_id = current_tenant() AND a.id = $1 AND (e.created_at, e.id) > (a.created_at, a.id)))
     ORDER BY created_at, id LIMIT $2`,
    [after ?? null, limit ?? null],
  );
  return rows.map(toEndpoint);
}

export async function findWebhookEndpoint(
  client: Queryable,
  id: string,
): Promise<WebhookEndpoint | undefined> {
  const { rows } = await client.query<EndpointRow>(
    `SELECT ${COLUMNS} FROM webhook_endpoint WHERE tenant_id = current_tenant() AND id = $1 AND removed_at IS NULL`,
    [id],
  );
  return rows.map(toEndpoint)[0];
}

/** The secret of an endpoint. As the owner of the database, or a service that may read secrets. `undefined`: there is no such endpoint. */
export async function readWebhookSecret(
  client: Queryable,
  keys: KeyRing,
  { tenantId, id }: Pick<WebhookEndpoint, 'tenantId' | 'id'>,
): Promise<string | undefined> {
  const { rows } = await client.query<{ ciphertext: Buffer; keyId: string }>(
    `SELECT secret AS ciphertext, secret_key_id AS "keyId" FROM webhook_endpoint
     WHERE tenant_id = current_tenant() AND id = $1 AND removed_at IS NULL`,
    [id],
  );
  const [sealed] = rows;
  return sealed && openSecret(keys, { tenantId, id }, sealed);
}

export interface EndpointChange {
  name?: string | undefined;
  status?: 'active' | 'paused' | undefined;
  /** Replaces the fields that it names. */
  settings?: Readonly<Record<string, unknown>> | undefined;
}

/** `undefined` when there is none of that id. @throws WebhookEndpointError */
export async function changeWebhookEndpoint(
  client: Queryable,
  id: string,
  change: EndpointChange,
): Promise<WebhookEndpoint | undefined> {
  const endpoint = await findWebhookEndpoint(client, id);
  if (endpoint === undefined) return undefined;
  const settings = checkSettings(endpoint.source, { ...endpoint.settings, ...change.settings });
  const { rows } = await client.query<EndpointRow>(
    `UPDATE webhook_endpoint SET name = $2, status = $3, settings = $4
     WHERE tenant_id = current_tenant() AND id = $1 AND removed_at IS NULL RETURNING ${COLUMNS}`,
    [id, change.name ?? endpoint.name, change.status ?? endpoint.status, JSON.stringify(settings)],
  );
  return rows.map(toEndpoint)[0];
}

/**
 * A new secret; the one before works for `graceSeconds` more. `secret` is there when it was made here.
 * @throws WebhookEndpointError
 */
export async function rotateWebhookSecret(
  client: Queryable,
  keys: KeyRing,
  id: string,
  options: { secret?: string | undefined; graceSeconds?: number | undefined } = {},
): Promise<{ endpoint: WebhookEndpoint; secret: string | undefined } | undefined> {
  const found = await findWebhookEndpoint(client, id);
  if (found === undefined) return undefined;
  const { secret, isNew } = secretFor(found.source, options.secret);
  const sealed = sealSecret(keys, found, secret);
  const { rows } = await client.query<EndpointRow>(
    `UPDATE webhook_endpoint SET previous_secret = secret, previous_key_id = secret_key_id, previous_until = now() + $4 * interval '1 second',
       secret = $2, secret_key_id = $3, rotated_at = now()
     WHERE tenant_id = current_tenant() AND id = $1 AND removed_at IS NULL RETURNING ${COLUMNS}`,
    [id, sealed.ciphertext, sealed.keyId, options.graceSeconds ?? SECRET_GRACE_SECONDS],
  );
  const endpoint = rows.map(toEndpoint)[0];
  return endpoint && { endpoint, secret: isNew ? secret : undefined };
}

/** Its address works no more, its secrets are gone; its deliveries stay until they expire. `false` when there was none. */
export async function removeWebhookEndpoint(client: Queryable, id: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE webhook_endpoint SET removed_at = now(), secret = NULL, secret_key_id = NULL, previous_secret = NULL, previous_key_id = NULL, previous_until = NULL
     WHERE tenant_id = current_tenant() AND id = $1 AND removed_at IS NULL`,
    [id],
  );
  return rowCount === 1;
}
