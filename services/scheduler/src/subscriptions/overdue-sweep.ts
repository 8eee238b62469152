/**
 * Makes tasks for messages that are due and that no task has claimed: their task found no free place, or was lost with its broker's disk.
 */
import { BackgroundLoop } from '@stratum/jobs/internal';
import { deliverWebhook } from '@stratum/shared';
import { nextDelivery } from '@stratum/shared/subscriptions';
import type { WebhookDispatcherOptions } from './dispatcher-options.js';

const EVERY_MS = 5_000;
const OVERDUE_MS = 30_000;
/** How long a message is kept for the task that is made for it. */
const RESERVED_MS = 60_000;
const BATCH = 500;

export function createOverdueSweep(options: WebhookDispatcherOptions): BackgroundLoop {
  return new BackgroundLoop({
    everyMs: options.sweepEveryMs ?? EVERY_MS,
    run: () => enqueueOverdue(options),
    onFailure: (error) => options.logger.error({ err: error }, 'overdue deliveries could not be enqueued'),
  });
}

async function enqueueOverdue({
  pool,
  client,
  perSubscription,
  overdueMs = OVERDUE_MS,
}: WebhookDispatcherOptions): Promise<undefined> {
  const { rows } = await pool.query<{
    tenant_id: string;
    subscription_id: string;
    event_id: string;
    claim: string;
  }>(
    `SELECT * FROM reserve_overdue_webhooks($1 * interval '1 millisecond', $2 * interval '1 millisecond', $3, $4)`,
    [overdueMs, RESERVED_MS, perSubscription, BATCH],
  );
  const items = rows.map((row) =>
    nextDelivery(
      {
        tenantId: Number(row.tenant_id),
        subscriptionId: row.subscription_id,
        eventId: Number(row.event_id),
      },
      row.claim,
    ),
  );
  await client.enqueueMany(deliverWebhook, items);
}
