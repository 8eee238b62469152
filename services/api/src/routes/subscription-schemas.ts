/** Requests and responses of the subscription routes. */
import { DOMAIN_EVENT_TYPES, plainText } from '@stratum/shared';
import {
  MESSAGE_STATES,
  formatEventId,
  parseEventId,
  SUBSCRIPTION_STATES,
  subscriptionIdSchema,
  type OutboundDelivery,
  type Subscription,
} from '@stratum/shared/subscriptions';
import { z } from 'zod';

const time = z.iso.datetime();
export const eventTypes = z.array(z.enum(DOMAIN_EVENT_TYPES)).min(1);
export const description = plainText(200);
export const subscriptionParams = z.object({ id: subscriptionIdSchema });
export const deliveryParams = subscriptionParams.extend({
  event: z.string().refine((text) => parseEventId(text) !== undefined, 'is not an event id (evt_…)'),
});
const eventId = z.string().describe('Same as the `webhook-id` header.');

export const subscriptionSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    event_types: eventTypes,
    description: z.string(),
    status: z
      .enum(SUBSCRIPTION_STATES)
      .describe('`paused`: by a user, or after repeated failures. `disabled`: the receiver answered 410.'),
    status_reason: z.string().nullable().describe('Why the subscription is not active.'),
    status_changed_at: time,
    consecutive_failures: z.int().describe('Consecutive failed attempts.'),
    first_failed_at: time.nullable(),
    previous_secret_until: time.nullable().describe('Until this time the previous secret signs as well.'),
    created_at: time,
  })
  .meta({ id: 'Subscription' });

export const newSubscriptionSchema = subscriptionSchema
  .extend({ secret: z.string().describe('Secret for verifying signatures. Shown only once.') })
  .meta({ id: 'NewSubscription' });

export const deliverySchema = z
  .object({
    event_id: eventId,
    type: z.string(),
    occurred_at: time,
    state: z
      .enum(MESSAGE_STATES)
      .describe('`failed`: the last attempt failed. `skipped`: the subscription was not active.'),
    created_at: time,
    next_attempt_at: time.nullable(),
    finished_at: time.nullable(),
    attempts: z
      .array(
        z.object({
          attempt: z.int(),
          at: z.string(),
          duration_ms: z.int(),
          status_code: z.int().nullable(),
          error_class: z
            .string()
            .nullable()
            .describe('`http`, `redirect`, `timeout`, `connection`, `dns`, `address`, `secret`.'),
          error: z.string().nullable(),
          response: z.string().nullable().describe('Start of the response body.'),
        }),
      )
      .describe('Newest first, at most 20.'),
  })
  .meta({ id: 'Delivery' });

export const enqueuedDeliverySchema = z
  .object({ event_id: eventId, task_id: z.string().describe('Task that sends the event.') })
  .meta({ id: 'EnqueuedDelivery' });

export const eventTypeSchema = z
  .object({
    type: z.string(),
    description: z.string(),
    schema: z.record(z.string(), z.unknown()).describe('JSON Schema of the request body.'),
  })
  .meta({ id: 'EventType' });

export function toSubscriptionView(subscription: Subscription): z.output<typeof subscriptionSchema> {
  return {
    id: subscription.id,
    url: subscription.url,
    event_types: subscription.eventTypes,
    description: subscription.description,
    status: subscription.status,
    status_reason: subscription.statusReason,
    status_changed_at: subscription.statusChangedAt.toISOString(),
    consecutive_failures: subscription.consecutiveFailures,
    first_failed_at: subscription.firstFailedAt?.toISOString() ?? null,
    previous_secret_until: subscription.previousSecretUntil?.toISOString() ?? null,
    created_at: subscription.createdAt.toISOString(),
  };
}

export function toDeliveryView(delivery: OutboundDelivery): z.output<typeof deliverySchema> {
  return {
    event_id: formatEventId(delivery.eventId),
    type: delivery.type,
    occurred_at: delivery.occurredAt.toISOString(),
    state: delivery.state,
    created_at: delivery.createdAt.toISOString(),
    next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
    finished_at: delivery.finishedAt?.toISOString() ?? null,
    attempts: delivery.attempts,
  };
}
