/** Requests of people that senders of webhooks pass on. Inside the caller's transaction, as the tenant. */
import { z } from 'zod';
import { openCredentials, sealCredentials, type CredentialOwner } from '../credentials/credentials.js';
import type { KeyRing } from '../credentials/key-ring.js';
import type { Queryable } from '../database/database.js';
import type { Identified } from './find-person.js';

export type RequestKind = 'export' | 'erase' | 'erase_shop';

export interface PrivacyRequest {
  id: number;
  kind: RequestKind;
  origin: string;
  state: 'received' | 'done';
  receivedAt: Date;
  doneAt: Date | null;
}

export interface NewRequest {
  tenantId: number;
  kind: RequestKind;
  /** For example `shopify/<endpoint>`. */
  origin: string;
  dedupKey: string;
  names: readonly Identified[];
}

interface RequestRow {
  id: string;
  kind: RequestKind;
  origin: string;
  state: PrivacyRequest['state'];
  received_at: Date;
  done_at: Date | null;
}

const COLUMNS = 'id, kind, origin, state, received_at, done_at';
const namesSchema = z.array(
  z.object({ type: z.enum(['user_id', 'email', 'anonymous_id', 'phone']), value: z.string() }),
);

function toRequest(row: RequestRow): PrivacyRequest {
  return {
    id: Number(row.id),
    kind: row.kind,
    origin: row.origin,
    state: row.state,
    receivedAt: row.received_at,
    doneAt: row.done_at,
  };
}

function ownerOf(tenantId: number, dedupKey: string): CredentialOwner {
  return { tenantId, platform: 'privacy_request', externalId: dedupKey };
}

/** The same request again is the same row. */
export async function recordRequest(
  client: Queryable,
  keys: KeyRing,
  { tenantId, kind, origin, dedupKey, names }: NewRequest,
): Promise<PrivacyRequest> {
  const sealed = sealCredentials(keys, ownerOf(tenantId, dedupKey), names);
  const { rows } = await client.query<RequestRow>(
    `INSERT INTO privacy_request AS r (tenant_id, kind, origin, dedup_key, person, person_key_id)
     VALUES (current_tenant(), $1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, dedup_key) DO UPDATE SET origin = r.origin RETURNING ${COLUMNS}`,
    [kind, origin, dedupKey, sealed.ciphertext, sealed.keyId],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('The request was not stored.');
  return toRequest(row);
}

/** The latest first. */
export async function listRequests(client: Queryable): Promise<PrivacyRequest[]> {
  const { rows } = await client.query<RequestRow>(
    `SELECT ${COLUMNS} FROM privacy_request WHERE tenant_id = current_tenant() ORDER BY id DESC LIMIT 1000`,
  );
  return rows.map(toRequest);
}

/** Who an open request is about. `undefined`: there is none, or it is done. */
export async function namesOfRequest(
  client: Queryable,
  keys: KeyRing,
  tenantId: number,
  id: number,
): Promise<Identified[] | undefined> {
  const { rows } = await client.query<{ dedup_key: string; ciphertext: Buffer; keyId: string }>(
    `SELECT dedup_key, person AS ciphertext, person_key_id AS "keyId" FROM privacy_request
     WHERE tenant_id = current_tenant() AND id = $1 AND person IS NOT NULL`,
    [id],
  );
  const [row] = rows;
  return row && namesSchema.parse(openCredentials(keys, ownerOf(tenantId, row.dedup_key), row));
}

/** Who it was about is forgotten. */
export async function closeRequest(
  client: Queryable,
  id: number,
  report: Readonly<Record<string, unknown>>,
): Promise<void> {
  await client.query(
    `UPDATE privacy_request SET state = 'done', done_at = now(), report = $2, person = NULL, person_key_id = NULL
     WHERE tenant_id = current_tenant() AND id = $1`,
    [id, JSON.stringify(report)],
  );
}
