/** Deliveries of both directions in one shape. Bodies and answers, which may say things about people, stay away. */
import { MESSAGE_STATES, type OutboundDelivery } from '@stratum/shared/subscriptions';
import { INBOUND_DELIVERY_STATES, type InboundDelivery } from '@stratum/shared/webhooks';
import { z } from 'zod';
import { webhookStatus } from './overview.js';

const time = z.iso.datetime();
const deliveryView = z
  .object({
    id: z.string().describe('Of the delivery, or of the event that is sent.'),
    type: z.string(),
    state: z.enum([...INBOUND_DELIVERY_STATES, ...MESSAGE_STATES]),
    at: time,
    ended_at: time.nullable(),
    next_attempt_at: time.nullable(),
    outcome: z.string().nullable().describe('What it led to, in words, or why it failed.'),
    tasks: z.array(z.object({ id: z.string(), task: z.string() })),
    attempts: z
      .array(
        z.object({
          attempt: z.int(),
          at: z.string(),
          duration_ms: z.number(),
          status_code: z.int().nullable(),
          error: z.string().nullable(),
        }),
      )
      .describe('Of what is sent, the newest first.'),
    replays: z.int(),
  })
  .meta({ id: 'DeliveryView' });
export type DeliveryView = z.output<typeof deliveryView>;

export const deliveryPage = z
  .object({
    name: z.string(),
    kind: z.string().describe('The source, or the types of events.'),
    status: webhookStatus,
    reason: z.string().nullable().describe('Why it is paused or disabled.'),
    items: z.array(deliveryView).describe('The newest first.'),
    next: z.int().nullable().describe('`before` of the next page; `null` after the last.'),
  })
  .meta({ id: 'DeliveryPage' });
export type DeliveryPage = z.output<typeof deliveryPage>;

export function toInboundView(delivery: InboundDelivery): DeliveryView {
  return {
    id: String(delivery.id),
    type: delivery.type,
    state: delivery.state,
    at: delivery.receivedAt.toISOString(),
    ended_at: delivery.processedAt?.toISOString() ?? null,
    next_attempt_at: null,
    outcome: delivery.error ?? delivery.effect,
    tasks: delivery.tasks,
    attempts: [],
    replays: delivery.replays,
  };
}

export function toOutboundView(delivery: OutboundDelivery, id: string): DeliveryView {
  const [last] = delivery.attempts;
  return {
    id,
    type: delivery.type,
    state: delivery.state,
    at: delivery.occurredAt.toISOString(),
    ended_at: delivery.finishedAt?.toISOString() ?? null,
    next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
    outcome: last?.error ?? null,
    tasks: [],
    attempts: delivery.attempts.map(({ attempt, at, duration_ms, status_code, error }) => ({
      attempt,
      at,
      duration_ms,
      status_code,
      error,
    })),
    replays: 0,
  };
}
