/**
 * `deliver_webhook`: claim the message → send → record the outcome. The message's row holds its due time and its claim; the task
 * only carries it out. A receiver that does not take an event is no failure of ours: the task comes back at the time of the next attempt. A
 * worker that is killed between sending and writing sends once more, under the same `webhook-id` and as the same attempt.
 *
 * When a subscription has no free place the task ends, and its message waits in the table; every delivery that ends makes a task for the
 * next in line. So a receiver that hangs holds as many slots as it may have, however much waits for it. When the process has no free place,
 * the task for a quick receiver comes back after a moment.
 */
import type { HandlerFor, TaskContext } from '@stratum/jobs';
import { deliverWebhook, type KeyRing } from '@stratum/shared';
import type { SafeFetch } from '@stratum/connectors/safe-fetch';
import { nextDelivery, type MessageKey } from '@stratum/shared/subscriptions';
import type { Pool } from 'pg';
import { claimMessage, type Claim } from './claim-message.js';
import { resolveDeliveryOptions, type DeliveryOptions } from './delivery-options.js';
import { DeliveryPlaces } from './delivery-places.js';
import { recordAttempt } from './record-attempt.js';
import { sendEvent } from './send-event.js';

const SHORTEST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 15_000;

export interface DeliveryDependencies {
  /** Connected as `stratum_default_worker`. */
  pool: Pool;
  keys: KeyRing;
  site: Pick<SafeFetch, 'send'>;
  deliveries?: DeliveryOptions;
}

export function deliverWebhookHandler({
  pool,
  keys,
  site,
  deliveries,
}: DeliveryDependencies): HandlerFor<typeof deliverWebhook> {
  const config = resolveDeliveryOptions(deliveries);
  const places = new DeliveryPlaces(config.places);
  return async ({ tenant_id: tenantId, subscription_id: subscriptionId, event_id: eventId }, context) => {
    const key: MessageKey = { tenantId, subscriptionId, eventId };
    const place = places.forTask();
    try {
      const claimed: Claim = await claimMessage(pool, key, {
        claim: context.id,
        perSubscription: config.perSubscription,
        // Only now is it known whether the receiver is slow: a task that ends without a place has kept none from a quick receiver meanwhile.
        admit: (isSlow) => place.take(isSlow),
      });
      if (claimed.kind === 'early') return context.snooze(claimed.delayMs);
      if (claimed.kind === 'crowded') return context.snooze(waitForPlace(context));
      if (claimed.kind !== 'claimed') return unsent(claimed.kind);
      const { message } = claimed;
      const result = await sendEvent(site, keys, message, {
        timeoutMs: config.timeoutMs,
        signal: context.signal,
      });
      const { outcome, delayMs, next } = await recordAttempt(pool, message, result, config);
      const { statusCode, errorClass, durationMs } = result;
      const { attempt } = message;
      context.logger.info(
        { subscriptionId, eventId, attempt, outcome, statusCode, errorClass, durationMs },
        'event sent',
      );
      if (next !== undefined) await context.enqueueMany(deliverWebhook, [nextDelivery(next.key, next.claim)]);
      if (outcome === 'pending') return context.snooze(delayMs);
      return { outcome, attempt, status_code: statusCode };
    } finally {
      place.leave();
    }
  };
}

/** Backoff without a counter: the longer the task has waited, the longer it waits again, so a crowd costs few tries. */
function waitForPlace({ enqueuedAt }: Pick<TaskContext, 'enqueuedAt'>): number {
  const waitedMs = Date.now() - Date.parse(enqueuedAt);
  return Math.min(LONGEST_WAIT_MS, Math.max(SHORTEST_WAIT_MS, waitedMs / 2)) * (0.75 + Math.random() / 2);
}

function unsent(outcome: 'waiting' | 'skipped' | 'over'): {
  outcome: typeof outcome;
  attempt: null;
  status_code: null;
} {
  return { outcome, attempt: null, status_code: null };
}
