/**
 * Makes tasks for messages that are due and that no task is at: theirs found no free place, or was lost with its broker's disk. Also
 * removes events and their deliveries after thirty days.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { deliverWebhook } from '@stratum/shared';
import { nextDelivery } from '@stratum/shared/subscriptions';
import type { WebhookDispatcherOptions } from './dispatcher-options.js';

const EVERY_MS = 5_000;
const OVERDUE_MS = 30_000;
/** How long a message is kept for the task that is made for it. */
const RESERVED_MS = 60_000;
const BATCH = 500;
const FORGET_EVERY_MS = 3_600_000;
const FORGET_AFTER_DAYS = 30;
const FORGET_BATCH = 1_000;

export class Sweeper {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private forgetAt = 0;

  constructor(private readonly options: WebhookDispatcherOptions) {}

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { logger, sweepEveryMs = EVERY_MS } = this.options;
    const { signal } = this.stopped;
    while (!signal.aborted) {
      try {
        await this.enqueueOverdue();
        await this.forget();
      } catch (error) {
        logger.error({ err: error }, 'overdue deliveries could not be looked for');
      }
      await delay(sweepEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private async enqueueOverdue(): Promise<void> {
    const { pool, client, perSubscription, overdueMs = OVERDUE_MS } = this.options;
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

  private async forget(): Promise<void> {
    if (Date.now() < this.forgetAt) return;
    let gone = FORGET_BATCH;
    while (gone === FORGET_BATCH && !this.stopped.signal.aborted) {
      const { rows } = await this.options.pool.query<{ gone: string }>(
        `SELECT forget_domain_events($1 * interval '1 day', $2) AS gone`,
        [FORGET_AFTER_DAYS, FORGET_BATCH],
      );
      gone = Number(rows[0]?.gone);
    }
    this.forgetAt = Date.now() + FORGET_EVERY_MS;
  }
}
