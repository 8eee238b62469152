/**
 * The audit events of a tenant form a chain: each carries the hash of the one before it. A row that is changed, left out or put
 * in between breaks the chain at that place.
 */
import { createHash } from 'node:crypto';
import type { PoolClient } from 'pg';
import { auditEventSchema, storableJson, type AuditEvent } from '@stratum/shared';

const START = Buffer.alloc(32);

/** Writes those that are not there yet, in the order given, inside the caller's transaction as the tenant. Returns how many were new. */
export async function appendAuditEvents(
  client: PoolClient,
  tenantId: number,
  events: readonly AuditEvent[],
): Promise<number> {
  await client.query(
    'INSERT INTO audit_chain (tenant_id, sequence, hash) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING',
    [tenantId, START],
  );
  // The transaction that locks the chain's row writes; others wait.
  const { rows: heads } = await client.query<{ sequence: string; hash: Buffer }>(
    'SELECT sequence, hash FROM audit_chain WHERE tenant_id = $1 FOR UPDATE',
    [tenantId],
  );
  const { rows: known } = await client.query<{ id: string }>(
    'SELECT id FROM audit_event WHERE id = ANY($1)',
    [events.map(({ id }) => id)],
  );
  const seen = new Set(known.map(({ id }) => id));
  let sequence = Number(heads[0]?.sequence ?? 0);
  let previous = heads[0]?.hash ?? START;
  const rows: unknown[] = [];
  for (const event of events.map(asStored)) {
    if (seen.has(event.id)) continue;
    seen.add(event.id);
    const hash = hashOf(previous, ++sequence, event);
    rows.push({ ...event, sequence, previous: previous.toString('hex'), hash: hash.toString('hex') });
    previous = hash;
  }
  if (rows.length === 0) return 0;
  await client.query(
    `INSERT INTO audit_event (tenant_id, sequence, id, actor, action, subject, details, occurred_at, previous, hash)
     SELECT $1, sequence, id, actor, action, subject, details, occurred_at, decode(previous, 'hex'), decode(hash, 'hex')
     FROM jsonb_to_recordset($2::jsonb) AS event (sequence bigint, id text, actor text, action text, subject text, details jsonb,
       occurred_at timestamptz, previous text, hash text)`,
    [tenantId, JSON.stringify(rows)],
  );
  await client.query('UPDATE audit_chain SET sequence = $2, hash = $3 WHERE tenant_id = $1', [
    tenantId,
    sequence,
    previous,
  ]);
  return rows.length;
}

/** As the database returns it, because the hash is over the stored values. An event that the database refuses would block all later ones. */
function asStored(event: AuditEvent): AuditEvent {
  const stored = auditEventSchema.parse(JSON.parse(storableJson(event)));
  return { ...stored, occurred_at: new Date(event.occurred_at).toISOString() };
}

/** The sequence of the first event that is not what was written, `undefined` when all are. As the tenant. */
export async function findBrokenLink(client: PoolClient, tenantId: number): Promise<number | undefined> {
  const { rows } = await client.query<{
    sequence: string;
    id: string;
    actor: string;
    action: string;
    subject: string;
    details: Record<string, unknown>;
    occurred_at: Date;
    previous: Buffer;
    hash: Buffer;
  }>('SELECT * FROM audit_event WHERE tenant_id = $1 ORDER BY sequence', [tenantId]);
  let previous: Buffer = START;
  let expected = 1;
  for (const row of rows) {
    const event = { ...row, tenant_id: tenantId, occurred_at: row.occurred_at.toISOString() };
    const isNext = Number(row.sequence) === expected && row.previous.equals(previous);
    if (!isNext || !hashOf(previous, expected, event).equals(row.hash)) return expected;
    previous = row.hash;
    expected++;
  }
  const { rows: heads } = await client.query<{ sequence: string; hash: Buffer }>(
    'SELECT sequence, hash FROM audit_chain WHERE tenant_id = $1',
    [tenantId],
  );
  const head = heads[0];
  const isWhole =
    head === undefined
      ? rows.length === 0
      : Number(head.sequence) === rows.length && head.hash.equals(previous);
  return isWhole ? undefined : expected;
}

function hashOf(previous: Buffer, sequence: number, event: AuditEvent): Buffer {
  const { tenant_id, id, actor, action, subject, details, occurred_at } = event;
  const content = [
    tenant_id,
    sequence,
    id,
    actor,
    action,
    subject,
    sorted(details),
    new Date(occurred_at).toISOString(),
  ];
  return createHash('sha256').update(previous).update(JSON.stringify(content)).digest();
}

/** The database keeps objects in an order of its own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => [key, sorted(each)]);
}
