/** Reads the audit log of a tenant. */
import { z } from 'zod';
import type { Queryable } from '../database/database.js';
import { csvLines } from '../reports/csv.js';

export interface AuditFilter {
  actor?: string | undefined;
  /** An action, or the beginning of one with `*` at its end: `key.*`. */
  action?: string | undefined;
  subject?: string | undefined;
  since?: Date | undefined;
  until?: Date | undefined;
}

/** As the servers answer it. */
export const auditEventSchema = z
  .object({
    tenant_id: z.int().describe('0: the platform.'),
    sequence: z.int().describe('Place in the chain, from 1.'),
    occurred_at: z.iso.datetime(),
    actor: z.string().describe('For example `key/<id>`.'),
    action: z.string(),
    subject: z.string(),
    details: z.looseObject({}).describe('Never secrets or payloads.'),
    id: z.string(),
  })
  .meta({ id: 'AuditEvent' });
export type AuditEventView = z.output<typeof auditEventSchema>;

export interface AuditRow extends Omit<AuditEventView, 'occurred_at'> {
  occurred_at: Date;
}

export function toAuditEventView(row: AuditRow): AuditEventView {
  return { ...row, occurred_at: row.occurred_at.toISOString() };
}

/** Newest first; of equal filters the next page begins before the last one's sequence. Inside the caller's transaction. */
export async function readAuditLog(
  client: Queryable,
  tenantId: number,
  { limit, before, ...filter }: AuditFilter & { limit: number; before?: number | undefined },
): Promise<AuditRow[]> {
  const { actor, action, subject, since, until } = filter;
  const isPrefix = action?.endsWith('*') === true;
  const { rows } = await client.query<Omit<AuditRow, 'sequence' | 'tenant_id'> & { sequence: string }>(
    `SELECT sequence, id, actor, action, subject, details, occurred_at FROM audit_event
     WHERE tenant_id = $1 AND ($2::bigint IS NULL OR sequence < $2) AND ($3::text IS NULL OR actor = $3)
       AND ($4::text IS NULL OR action = $4) AND ($5::text IS NULL OR starts_with(action, $5)) AND ($6::text IS NULL OR subject = $6)
       AND ($7::timestamptz IS NULL OR occurred_at >= $7) AND ($8::timestamptz IS NULL OR occurred_at < $8)
     ORDER BY sequence DESC LIMIT $9`,
    [
      tenantId,
      before ?? null,
      actor ?? null,
      isPrefix ? null : (action ?? null),
      isPrefix ? action.slice(0, -1) : null,
      subject ?? null,
      since ?? null,
      until ?? null,
      limit,
    ],
  );
  return rows.map((row) => ({ ...row, tenant_id: tenantId, sequence: Number(row.sequence) }));
}

export const AUDIT_COLUMNS = [
  'tenant_id',
  'sequence',
  'occurred_at',
  'actor',
  'action',
  'subject',
  'details',
  'id',
] as const satisfies readonly (keyof AuditRow)[];

const CSV_COLUMNS = AUDIT_COLUMNS.map((name) => ({
  name,
  numeric: name === 'tenant_id' || name === 'sequence',
}));

/** The lines of a file, without the header. */
export function auditLines(rows: readonly AuditRow[], format: 'csv' | 'ndjson'): string[] {
  if (format === 'ndjson') return rows.map((row) => JSON.stringify(row));
  return rows.map((row) => csvLines(CSV_COLUMNS, [{ ...row }]).trimEnd());
}
