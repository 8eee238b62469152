/** Sources of customer events: made, listed, changed, and recognised by their write keys. */
import type { Pool } from 'pg';
import { withTenant, type Queryable } from '../database/database.js';
import { requireRoom } from '../quotas/quotas.js';
import { hashWriteKey, newWriteKey, prefixOf } from './write-key.js';

export interface EventSource {
  id: number;
  name: string;
  keyPrefix: string;
  /** Pages of these origins may send; empty: any. */
  allowedOrigins: string[];
  status: 'enabled' | 'disabled';
  createdAt: Date;
  rotatedAt: Date | null;
  /** To the minute. */
  lastSeenAt: Date | null;
  /** Events of which something was changed or guessed, by reason: one event may count for several. */
  repaired: number;
  /** Events that were refused, or could not be written. */
  rejected: number;
}

/** Why events of a source were changed or refused, and how many. */
export interface SourceNoteCount {
  outcome: 'repaired' | 'rejected';
  /** Field name, or `(event)`. */
  field: string;
  message: string;
  events: number;
  firstAt: Date;
  lastAt: Date;
}

/** Where a request's events come from. */
export interface KnownSource {
  tenantId: number;
  sourceId: number;
  allowedOrigins: string[];
}

/** How long the key before a rotation goes on working, in milliseconds: pages that are open have it. */
const KEY_GRACE_MS = 7 * 24 * 3_600_000;
const SEEN_EVERY_MS = 60_000;
const counted = (outcome: string): string =>
  `(SELECT coalesce(sum(events), 0) FROM event_source_note n
     WHERE n.tenant_id = event_source.tenant_id AND n.source_id = event_source.id AND n.outcome = '${outcome}') AS ${outcome}`;
const COLUMNS = `id, name, key_prefix, allowed_origins, status, created_at, rotated_at, last_seen_at, ${counted('repaired')}, ${counted('rejected')}`;

interface SourceRow {
  id: string;
  name: string;
  key_prefix: string;
  allowed_origins: string[];
  status: EventSource['status'];
  created_at: Date;
  rotated_at: Date | null;
  last_seen_at: Date | null;
  repaired: string;
  rejected: string;
}

function toSource(row: SourceRow): EventSource {
  return {
    id: Number(row.id),
    name: row.name,
    keyPrefix: row.key_prefix,
    allowedOrigins: row.allowed_origins,
    status: row.status,
    createdAt: row.created_at,
    rotatedAt: row.rotated_at,
    lastSeenAt: row.last_seen_at,
    repaired: Number(row.repaired),
    rejected: Number(row.rejected),
  };
}

export interface NewSource {
  name: string;
  allowedOrigins?: readonly string[];
}

/** A name that another source of the tenant has. */
export class SourceNameTakenError extends Error {
  readonly code = 'source_name_taken';

  constructor(name: string) {
    super(`There is a source "${name}" already.`);
    this.name = 'SourceNameTakenError';
  }
}

/**
 * Inside the caller's transaction, as the tenant. The key's text is returned this once and kept nowhere.
 * @throws SourceNameTakenError
 */
export async function createSource(
  client: Queryable,
  { name, allowedOrigins = [] }: NewSource,
): Promise<{ source: EventSource; writeKey: string }> {
  const writeKey = newWriteKey();
  await requireRoom(client, 'sources');
  const { rows } = await client.query<SourceRow>(
    `INSERT INTO event_source (tenant_id, name, key_hash, key_prefix, allowed_origins) VALUES (current_tenant(), $1, $2, $3, $4)
     ON CONFLICT (tenant_id, name) WHERE status <> 'removed' DO NOTHING RETURNING ${COLUMNS}`,
    [name, hashWriteKey(writeKey), prefixOf(writeKey), allowedOrigins],
  );
  const source = rows.map(toSource)[0];
  if (source === undefined) throw new SourceNameTakenError(name);
  return { source, writeKey };
}

/** The tenant's sources by their ids, those after `after`. Inside the caller's transaction, as the tenant. */
export async function listSources(
  client: Queryable,
  { after = 0, limit = 1_000 }: { after?: number; limit?: number } = {},
): Promise<EventSource[]> {
  const { rows } = await client.query<SourceRow>(
    `SELECT ${COLUMNS} FROM event_source WHERE tenant_id = current_tenant() AND status <> 'removed' AND id > $1 ORDER BY id LIMIT $2`,
    [after, limit],
  );
  return rows.map(toSource);
}

export async function findSource(client: Queryable, id: number): Promise<EventSource | undefined> {
  const { rows } = await client.query<SourceRow>(
    `SELECT ${COLUMNS} FROM event_source WHERE tenant_id = current_tenant() AND status <> 'removed' AND id = $1`,
    [id],
  );
  return rows.map(toSource)[0];
}

/** The most frequent first. `undefined` when there is no such source. Inside the caller's transaction, as the tenant. */
export async function listSourceNotes(client: Queryable, id: number): Promise<SourceNoteCount[] | undefined> {
  if ((await findSource(client, id)) === undefined) return undefined;
  const { rows } = await client.query<{
    outcome: SourceNoteCount['outcome'];
    field: string;
    message: string;
    events: string;
    first_at: Date;
    last_at: Date;
  }>(
    `SELECT outcome, field, message, events, first_at, last_at FROM event_source_note
     WHERE tenant_id = current_tenant() AND source_id = $1 ORDER BY events DESC, outcome, field, message LIMIT 1000`,
    [id],
  );
  return rows.map(({ outcome, field, message, events, first_at: firstAt, last_at: lastAt }) => ({
    outcome,
    field,
    message,
    events: Number(events),
    firstAt,
    lastAt,
  }));
}

export interface SourceChange {
  name?: string | undefined;
  allowedOrigins?: readonly string[] | undefined;
  status?: EventSource['status'] | undefined;
}

/** `undefined` when there is no such source. @throws SourceNameTakenError */
export async function changeSource(
  client: Queryable,
  id: number,
  { name, allowedOrigins, status }: SourceChange,
): Promise<EventSource | undefined> {
  if (name !== undefined) {
    const { rowCount } = await client.query(
      `SELECT FROM event_source WHERE tenant_id = current_tenant() AND status <> 'removed' AND name = $1 AND id <> $2`,
      [name, id],
    );
    if (rowCount !== 0) throw new SourceNameTakenError(name);
  }
  const { rows } = await client.query<SourceRow>(
    `UPDATE event_source SET name = coalesce($2, name), allowed_origins = coalesce($3, allowed_origins), status = coalesce($4, status)
     WHERE tenant_id = current_tenant() AND status <> 'removed' AND id = $1 RETURNING ${COLUMNS}`,
    [id, name ?? null, allowedOrigins ?? null, status ?? null],
  );
  return rows.map(toSource)[0];
}

/** A new key; the one before works for `graceMs` more. `undefined` when there is no such source. */
export async function rotateWriteKey(
  client: Queryable,
  id: number,
  graceMs: number = KEY_GRACE_MS,
): Promise<{ source: EventSource; writeKey: string } | undefined> {
  const writeKey = newWriteKey();
  const { rows } = await client.query<SourceRow>(
    `UPDATE event_source SET previous_hash = key_hash, previous_until = now() + $4 * interval '1 millisecond', key_hash = $2, key_prefix = $3,
       rotated_at = now()
     WHERE tenant_id = current_tenant() AND status <> 'removed' AND id = $1 RETURNING ${COLUMNS}`,
    [id, hashWriteKey(writeKey), prefixOf(writeKey), graceMs],
  );
  const source = rows.map(toSource)[0];
  return source && { source, writeKey };
}

/** Its key is no longer valid; its events stay. `false` when there was none. */
export async function removeSource(client: Queryable, id: number): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE event_source SET status = 'removed' WHERE tenant_id = current_tenant() AND status <> 'removed' AND id = $1`,
    [id],
  );
  return rowCount === 1;
}

/** Which source a key belongs to; `undefined` when it is none's, or none's any more. As `stratum_api`. */
export async function sourceOfKey(pool: Pool, key: string): Promise<KnownSource | undefined> {
  const { rows } = await pool.query<{
    tenant_id: string;
    source_id: string;
    allowed_origins: string[];
    last_seen_at: Date | null;
  }>('SELECT * FROM event_source_of_key($1)', [hashWriteKey(key)]);
  const [row] = rows;
  if (row === undefined) return undefined;
  const [tenantId, sourceId] = [Number(row.tenant_id), Number(row.source_id)];
  if ((row.last_seen_at?.getTime() ?? 0) < Date.now() - SEEN_EVERY_MS) {
    await withTenant(pool, tenantId, (client) =>
      client.query('UPDATE event_source SET last_seen_at = now() WHERE tenant_id = $1 AND id = $2', [
        tenantId,
        sourceId,
      ]),
    );
  }
  return { tenantId, sourceId, allowedOrigins: row.allowed_origins };
}
