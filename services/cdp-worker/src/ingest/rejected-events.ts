/** Accepted events that could not be written: kept with the reason, for somebody to look at. */
import { withTenant } from '@stratum/shared';
import type { Pool } from 'pg';
import { countNotes } from './event-notes.js';

export interface RejectedEvent {
  sourceId: number | null;
  messageId: string | null;
  /** As it came. */
  payload: string | Uint8Array;
  error: string;
}

const MAX_ERROR = 1_000;
const MAX_MESSAGE_ID = 255;
const UNWRITABLE = { outcome: 'rejected', field: '(event)', message: 'could not be written' } as const;

export async function saveRejected(
  pool: Pool,
  tenantId: number,
  rejected: readonly RejectedEvent[],
): Promise<void> {
  if (rejected.length === 0) return;
  const at = new Date().toISOString();
  const notes = rejected.map(({ sourceId }) => ({ ...UNWRITABLE, sourceId, at }));
  await withTenant(pool, tenantId, async (client) => {
    await countNotes(client, tenantId, notes);
    await client.query(
      `INSERT INTO cdp_rejected_event (tenant_id, source_id, message_id, error, payload)
       SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bytea[])`,
      [
        tenantId,
        rejected.map(({ sourceId }) => sourceId),
        rejected.map(({ messageId }) => messageId && printable(messageId).slice(0, MAX_MESSAGE_ID)),
        rejected.map(({ error }) => printable(error).slice(0, MAX_ERROR)),
        rejected.map(({ payload }) => Buffer.from(payload)),
      ],
    );
  });
}

function printable(text: string): string {
  return text.replaceAll('\0', '\uFFFD');
}
