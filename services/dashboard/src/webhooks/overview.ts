/** Endpoints and subscriptions of the viewer's tenants, those that need a look first. */
import type { Pool } from 'pg';
import { z } from 'zod';
import type { Scope } from '@stratum/shared/task-history';

const MAX_ROWS = 500;
export const webhookStatus = z.enum(['active', 'paused', 'disabled']);
export type WebhookStatus = z.output<typeof webhookStatus>;
const shownCount = z.int();
const shownTime = z.iso.datetime().nullable();
const webhookRow = z
  .object({
    direction: z.enum(['in', 'out']),
    tenant_id: z.int(),
    tenant: z.string(),
    id: z.string(),
    name: z.string().describe('Of an endpoint; of a subscription the host that it sends to.'),
    kind: z.string().describe('The source, or the types of events.'),
    status: webhookStatus,
    reason: z.string().nullable(),
    waiting: shownCount.describe('Received and not processed, or not sent yet.'),
    done: shownCount.describe('Within a day, of the newest 10,000.'),
    failed: shownCount,
    ignored: shownCount,
    last_at: shownTime,
    last_success: shownTime,
  })
  .meta({ id: 'WebhookRow' });
export type WebhookRow = z.output<typeof webhookRow>;

export const webhookOverview = z.object({
  rows: z.array(webhookRow).describe('Those that need a look first.'),
  more: z.boolean().describe('Whether there are more than are listed.'),
  now: z.iso.datetime(),
});
export type WebhookOverview = z.output<typeof webhookOverview>;

const count = z.coerce.number();
const time = z
  .date()
  .nullable()
  .transform((at) => at?.toISOString() ?? null);
const rowSchema = webhookRow.extend({
  tenant_id: count,
  waiting: count,
  done: count,
  failed: count,
  ignored: count,
  last_at: time,
  last_success: time,
});

export async function readWebhookOverview(pool: Pool, scope: Scope): Promise<WebhookOverview> {
  const { rows } = await pool.query('SELECT * FROM webhook_overview($1, $2)', [scope, MAX_ROWS + 1]);
  return {
    rows: rows.slice(0, MAX_ROWS).map((row) => rowSchema.parse(row)),
    more: rows.length > MAX_ROWS,
    now: new Date().toISOString(),
  };
}
