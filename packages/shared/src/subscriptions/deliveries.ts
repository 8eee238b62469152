/** Sent and pending messages of a subscription. Inside the caller's transaction, as the tenant. */
import type { Queryable } from '../database/database.js';
import { TEST_EVENT_TYPE, testEventData } from './event-types.js';
import { SubscriptionError, type Subscription } from './subscriptions.js';

export const MESSAGE_STATES = ['pending', 'delivered', 'failed', 'skipped'] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

export interface DeliveryAttempt {
  attempt: number;
  at: string;
  duration_ms: number;
  status_code: number | null;
  error_class: string | null;
  error: string | null;
  response: string | null;
}

export interface OutboundDelivery {
  eventId: number;
  type: string;
  occurredAt: Date;
  state: MessageState;
  createdAt: Date;
  nextAttemptAt: Date | null;
  finishedAt: Date | null;
  /** The newest first, at most 20 of them. */
  attempts: DeliveryAttempt[];
}

interface DeliveryRow {
  event_id: string;
  type: string;
  occurred_at: Date;
  state: MessageState;
  created_at: Date;
  next_attempt_at: Date | null;
  finished_at: Date | null;
  attempts: DeliveryAttempt[];
}

const SHOWN_ATTEMPTS = 20;

/** The newest events first. `next`: there are more, before the event of that id. */
export async function listDeliveries(
  client: Queryable,
  subscriptionId: string,
  { limit, before, state }: { limit: number; before?: number; state?: MessageState },
): Promise<{ deliveries: OutboundDelivery[]; next: number | undefined }> {
  const { rows } = await client.query<DeliveryRow>(
    `SELECT m.event_id, e.type, e.occurred_at, m.state, m.created_at, m.next_attempt_at, m.finished_at,
       coalesce(tried.attempts, '[]') AS attempts
     FROM outbound_webhook_message m
     JOIN domain_event e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
     LEFT JOIN LATERAL (
       SELECT jsonb_agg(to_jsonb(a) - '{tenant_id,subscription_id,event_id}'::text[] ORDER BY a.attempt DESC) AS attempts
       FROM (SELECT * FROM outbound_webhook_attempt w WHERE w.tenant_id = m.tenant_id AND w.subscription_id = m.subscription_id AND w.event_id = m.event_id
             ORDER BY w.attempt DESC LIMIT ${SHOWN_ATTEMPTS}) a
     ) tried ON true
     WHERE m.tenant_id = current_tenant() AND m.subscription_id = $1 AND ($2::text IS NULL OR m.state = $2)
       AND ($3::bigint IS NULL OR m.event_id < $3)
     ORDER BY m.event_id DESC LIMIT $4`,
    [subscriptionId, state ?? null, before ?? null, limit + 1],
  );
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return {
    deliveries: page.map((row) => ({
      eventId: Number(row.event_id),
      type: row.type,
      occurredAt: row.occurred_at,
      state: row.state,
      createdAt: row.created_at,
      nextAttemptAt: row.next_attempt_at,
      finishedAt: row.finished_at,
      attempts: row.attempts,
    })),
    next: last && Number(last.event_id),
  };
}

/** A test event of its own for this subscription, whatever its status. Returns its id; a task has to be made for it. */
export async function addTestEvent(client: Queryable, subscriptionId: string): Promise<number> {
  const data = testEventData.parse({
    subscription_id: subscriptionId,
    message: 'This is a test. Nothing has happened.',
  });
  // Published from the beginning: it is for this subscription alone.
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO domain_event (tenant_id, type, data, occurred_at, published_at) VALUES (current_tenant(), $1, $2, now(), now()) RETURNING id`,
    [TEST_EVENT_TYPE, JSON.stringify(data)],
  );
  const eventId = Number(rows[0]?.id);
  await client.query(
    `INSERT INTO outbound_webhook_message (tenant_id, subscription_id, event_id, next_attempt_at) VALUES (current_tenant(), $1, $2, now())`,
    [subscriptionId, eventId],
  );
  return eventId;
}

/** Makes a message wait for its next attempt at once, with all its tries before it; one that an attempt is at stays as it is. */
const WAITS_AGAIN = `
  ON CONFLICT (tenant_id, subscription_id, event_id) DO UPDATE
  SET state = 'pending', tries = 0, next_attempt_at = now(), finished_at = NULL, claim = NULL, claimed_until = NULL
  WHERE message.claim IS NULL OR message.claimed_until < now()`;

/**
 * One event once more, or for the first time. Returns whether there is such an event; a task has to be made for it.
 * @throws SubscriptionError `not_active`, `in_flight`
 */
export async function replayDelivery(
  client: Queryable,
  { id, status }: Pick<Subscription, 'id' | 'status'>,
  eventId: number,
): Promise<boolean> {
  if (status !== 'active')
    throw new SubscriptionError('not_active', `The subscription is ${status}: resume it first.`);
  const { rowCount: known } = await client.query(
    `SELECT FROM domain_event e WHERE e.tenant_id = current_tenant() AND e.id = $2 AND (e.type <> $3 OR EXISTS (
       SELECT FROM outbound_webhook_message m WHERE m.tenant_id = e.tenant_id AND m.event_id = e.id AND m.subscription_id = $1))`,
    [id, eventId, TEST_EVENT_TYPE],
  );
  if (known === 0) return false;
  const { rowCount } = await client.query(
    `INSERT INTO outbound_webhook_message AS message (tenant_id, subscription_id, event_id, next_attempt_at) VALUES (current_tenant(), $1, $2, now()) ${WAITS_AGAIN}`,
    [id, eventId],
  );
  if (rowCount === 0)
    throw new SubscriptionError('in_flight', 'It is being sent right now. Check again in a minute.');
  return true;
}

/** Events that one call makes wait at most. */
export const MAX_REPLAYED = 10_000;

/**
 * Everything since then that the subscription wants and has not been delivered, the oldest first. Returns the events; tasks have to be made
 * for them. At most `MAX_REPLAYED` of them: call again for more.
 */
export async function replayMissed(
  client: Queryable,
  { id, eventTypes }: Pick<Subscription, 'id' | 'eventTypes'>,
  since: Date,
): Promise<number[]> {
  const { rows } = await client.query<{ event_id: string }>(
    `INSERT INTO outbound_webhook_message AS message (tenant_id, subscription_id, event_id, next_attempt_at)
     SELECT e.tenant_id, $1, e.id, now() FROM domain_event e
     WHERE e.tenant_id = current_tenant() AND e.type = ANY ($2) AND e.id IN (
         SELECT told.id FROM domain_event told WHERE told.tenant_id = current_tenant() AND told.published_at >= $3
         UNION
         SELECT undelivered.event_id FROM outbound_webhook_message undelivered
         WHERE undelivered.tenant_id = current_tenant() AND undelivered.subscription_id = $1 AND undelivered.finished_at >= $3)
       AND NOT EXISTS (
         SELECT FROM outbound_webhook_message m WHERE m.tenant_id = e.tenant_id AND m.subscription_id = $1 AND m.event_id = e.id
           AND m.state IN ('delivered', 'pending'))
     ORDER BY e.id LIMIT ${MAX_REPLAYED} ${WAITS_AGAIN}
     RETURNING message.event_id`,
    [id, eventTypes, since],
  );
  return rows.map(({ event_id: eventId }) => Number(eventId));
}
