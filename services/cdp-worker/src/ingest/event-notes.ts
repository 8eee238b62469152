/** Counts what was changed or guessed about events of a source, and why others were refused. */
import type { EventNote } from '@stratum/shared/customer-events';
import type { PoolClient } from 'pg';

export interface SourceNote extends EventNote {
  /** `null`: a service of the platform. */
  sourceId: number | null;
  outcome: 'repaired' | 'rejected';
  /** RFC 3339. */
  at: string;
}

/** Inside the caller's transaction, as the tenant. */
export async function countNotes(
  client: PoolClient,
  tenantId: number,
  notes: readonly SourceNote[],
): Promise<void> {
  if (notes.length === 0) return;
  await client.query({
    name: 'ingest-notes',
    // In one order, so that two transactions do not wait for each other.
    text: `INSERT INTO event_source_note AS n (tenant_id, source_id, outcome, field, message, events, first_at, last_at)
      SELECT $1, source_id, outcome, field, message, count(*), min(at), max(at)
      FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) AS g (source_id, outcome, field, message, at)
      GROUP BY source_id, outcome, field, message ORDER BY source_id, outcome, field, message
      ON CONFLICT (tenant_id, source_id, outcome, field, message)
      DO UPDATE SET events = n.events + excluded.events, last_at = greatest(n.last_at, excluded.last_at)`,
    values: [
      tenantId,
      notes.map(({ sourceId }) => sourceId ?? 0),
      notes.map(({ outcome }) => outcome),
      notes.map(({ field }) => field),
      notes.map(({ message }) => message),
      notes.map(({ at }) => at),
    ],
  });
}
