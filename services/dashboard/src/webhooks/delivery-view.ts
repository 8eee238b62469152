/** Deliveries of both directions in one shape. Bodies and answers, which may say things about people, stay away. */
import type { DeliveryAttempt, OutboundDelivery } from '@stratum/shared/subscriptions';
import type { InboundDelivery, InboundDeliveryState } from '@stratum/shared/webhooks';

export interface DeliveryView {
  /** Of the delivery, or of the event that is sent. */
  id: string;
  type: string;
  state: InboundDeliveryState | OutboundDelivery['state'];
  at: string;
  ended_at: string | null;
  next_attempt_at: string | null;
  /** What it led to, in words, or why it failed. */
  outcome: string | null;
  tasks: { id: string; task: string }[];
  attempts: Pick<DeliveryAttempt, 'attempt' | 'at' | 'duration_ms' | 'status_code' | 'error'>[];
  replays: number;
}

export interface DeliveryPage {
  name: string;
  kind: string;
  status: string;
  reason: string | null;
  /** The newest first. */
  items: DeliveryView[];
  next: number | null;
}

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
