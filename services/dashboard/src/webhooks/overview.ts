/** Endpoints and subscriptions of the viewer's tenants, those that need a look first. */
import type { Pool } from 'pg';
import { z } from 'zod';
import type { Scope } from '@stratum/shared/task-history';

const MAX_ROWS = 500;
const count = z.coerce.number();
const time = z
  .date()
  .nullable()
  .transform((at) => at?.toISOString() ?? null);

const rowSchema = z.object({
  direction: z.enum(['in', 'out']),
  tenant_id: count,
  tenant: z.string(),
  id: z.string(),
  /** Of an endpoint; of a subscription the host that it sends to. */
  name: z.string(),
  /** The source, or the types of events. */
  kind: z.string(),
  status: z.enum(['active', 'paused', 'disabled']),
  reason: z.string().nullable(),
  /** Received and not processed, or not sent yet. */
  waiting: count,
  /** Within a day, of the newest 10,000. */
  done: count,
  failed: count,
  ignored: count,
  last_at: time,
  last_success: time,
});

export type WebhookRow = z.output<typeof rowSchema>;

export interface WebhookOverview {
  rows: WebhookRow[];
  /** Whether there are more than are listed. */
  more: boolean;
  now: string;
}

export async function readWebhookOverview(pool: Pool, scope: Scope): Promise<WebhookOverview> {
  const { rows } = await pool.query('SELECT * FROM webhook_overview($1, $2)', [scope, MAX_ROWS + 1]);
  return {
    rows: rows.slice(0, MAX_ROWS).map((row) => rowSchema.parse(row)),
    more: rows.length > MAX_ROWS,
    now: new Date().toISOString(),
  };
}
