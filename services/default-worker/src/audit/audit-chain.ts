/** Writes audit events into the chain of their tenant. */
import type { PoolClient } from 'pg';
import { auditEventSchema, storableJson, type AuditEvent, type KeyRing } from '@stratum/shared';
import { CHAIN_START, linkHash } from '@stratum/shared/audit';

export interface AppendOptions {
  tenantId: number;
  keys: KeyRing;
}

interface HeadRow {
  sequence: string;
  hash: Buffer;
  key_id: string | null;
}

/** Writes those that are not there yet, in the order given, inside the caller's transaction as the tenant. Returns how many were new. */
export async function appendAuditEvents(
  client: PoolClient,
  { tenantId, keys }: AppendOptions,
  events: readonly AuditEvent[],
): Promise<number> {
  const head = await lockHead(client, tenantId);
  const { rows: known } = await client.query<{ id: string }>(
    'SELECT id FROM audit_event WHERE id = ANY($1)',
    [events.map(({ id }) => id)],
  );
  const seen = new Set(known.map(({ id }) => id));
  const { id: keyId, key } = keys.current;
  let sequence = Number(head.sequence);
  let previous = head.hash;
  const rows: unknown[] = [];
  for (const event of events.map(asStored)) {
    if (seen.has(event.id)) continue;
    seen.add(event.id);
    const hash = linkHash(key, previous, ++sequence, event);
    rows.push({ ...event, sequence, previous: previous.toString('hex'), hash: hash.toString('hex') });
    previous = hash;
  }
  if (rows.length === 0) return 0;
  await client.query(
    `INSERT INTO audit_event (tenant_id, sequence, id, actor, action, subject, details, occurred_at, previous, hash, key_id)
     SELECT $1, sequence, id, actor, action, subject, details, occurred_at, decode(previous, 'hex'), decode(hash, 'hex'), $3
     FROM jsonb_to_recordset($2::jsonb) AS event (sequence bigint, id text, actor text, action text, subject text, details jsonb,
       occurred_at timestamptz, previous text, hash text)`,
    [tenantId, JSON.stringify(rows), keyId],
  );
  await client.query('UPDATE audit_chain SET sequence = $2, hash = $3, key_id = $4 WHERE tenant_id = $1', [
    tenantId,
    sequence,
    previous,
    keyId,
  ]);
  return rows.length;
}

/**
 * The end of a chain, inside the caller's transaction as the tenant; `undefined` for an empty one. Links of before the key get a keyed link
 * behind them: nobody without the key can replace them any more.
 */
export async function sealedHead(
  client: PoolClient,
  options: AppendOptions,
): Promise<{ sequence: number; hash: string } | undefined> {
  const { tenantId } = options;
  const head = await lockHead(client, tenantId);
  if (Number(head.sequence) > 0 && head.key_id === null) {
    const event: AuditEvent = {
      id: `audit-sealed-${tenantId}`,
      tenant_id: tenantId,
      actor: 'task/process_audit_logs',
      action: 'audit.sealed',
      subject: `tenant/${tenantId}`,
      details: { events: Number(head.sequence) },
      occurred_at: new Date().toISOString(),
    };
    await appendAuditEvents(client, options, [event]);
  }
  const { sequence, hash } = await lockHead(client, tenantId);
  return Number(sequence) === 0 ? undefined : { sequence: Number(sequence), hash: hash.toString('hex') };
}

/** The transaction that locks the chain's row writes; others wait. */
async function lockHead(client: PoolClient, tenantId: number): Promise<HeadRow> {
  await client.query(
    'INSERT INTO audit_chain (tenant_id, sequence, hash) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING',
    [tenantId, CHAIN_START],
  );
  const { rows } = await client.query<HeadRow>(
    'SELECT sequence, hash, key_id FROM audit_chain WHERE tenant_id = $1 FOR UPDATE',
    [tenantId],
  );
  const [head] = rows;
  if (head === undefined) throw new Error(`The audit chain of tenant ${tenantId} has no row.`);
  return head;
}

/** As the database returns it, because the hash is over the stored values. An event that the database refuses would block all later ones. */
function asStored(event: AuditEvent): AuditEvent {
  const stored = auditEventSchema.parse(JSON.parse(storableJson(event)));
  return { ...stored, occurred_at: new Date(event.occurred_at).toISOString() };
}
