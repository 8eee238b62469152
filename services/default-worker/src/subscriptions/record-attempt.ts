/** Writes down an attempt and what follows from it, in one transaction: for the message, for its subscription, for the next one in line. */
import { openAlert, withTenant } from '@stratum/shared';
import {
  newClaim,
  stopSubscription,
  subscriptionAlertKey,
  type MessageKey,
} from '@stratum/shared/subscriptions';
import type { Pool, PoolClient } from 'pg';
import { lockSubscription, type ClaimedMessage } from './claim-message.js';
import type { DeliveryConfig } from './delivery-options.js';
import type { AttemptResult } from './send-event.js';

export interface Recorded {
  outcome: 'delivered' | 'failed' | 'skipped' | 'over' | 'pending';
  /** Until the next attempt of a message that is still pending, in milliseconds. */
  delayMs: number;
  /** The message that waits longest now has the place, and is claimed for a task that has to be made. */
  next: { key: MessageKey; claim: string } | undefined;
}

const GONE = 410;
const TOO_MANY = 429;
/** A receiver that says so wants fewer requests (Standard Webhooks). */
const THROTTLING: ReadonlySet<number | null> = new Set([TOO_MANY, 502, 503, 504]);
const JITTER = 0.1;
/** How long a message is kept for the task that is made for it. */
const RESERVED_SECONDS = 60;

export function recordAttempt(
  pool: Pool,
  message: ClaimedMessage,
  result: AttemptResult,
  config: DeliveryConfig,
): Promise<Recorded> {
  return withTenant(pool, message.tenantId, async (client) => {
    await lockSubscription(client, message.subscriptionId);
    if (!(await stillOurs(client, message))) return { outcome: 'over', delayMs: 0, next: undefined };
    const isActive = message.isTest || (await noteForSubscription(client, message, result, config));
    const delayMs = nextDelayMs(message, result, config);
    const outcome = outcomeOf(result, { isActive, isLast: delayMs === undefined });
    await client.query(
      `UPDATE outbound_webhook_message SET attempts = $3, tries = tries + 1, state = $4, claim = NULL, claimed_until = NULL,
         next_attempt_at = CASE WHEN $4 = 'pending' THEN now() + $5 * interval '1 millisecond' END,
         finished_at = CASE WHEN $4 <> 'pending' THEN now() END
       WHERE tenant_id = current_tenant() AND subscription_id = $1 AND event_id = $2`,
      [message.subscriptionId, message.eventId, message.attempt, outcome, delayMs ?? 0],
    );
    await client.query(
      `INSERT INTO outbound_webhook_attempt (tenant_id, subscription_id, event_id, attempt, at, duration_ms, status_code, error_class, error, response)
       VALUES (current_tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        message.subscriptionId,
        message.eventId,
        message.attempt,
        result.at,
        result.durationMs,
        result.statusCode,
        result.errorClass,
        result.error,
        result.response,
      ],
    );
    return { outcome, delayMs: delayMs ?? 0, next: await reserveNext(client, message) };
  });
}

/** A task that was taken over because it took too long, or whose subscription is gone, writes nothing. */
async function stillOurs(
  client: PoolClient,
  { subscriptionId, eventId, claim, attempt }: ClaimedMessage,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM outbound_webhook_message
     WHERE tenant_id = current_tenant() AND subscription_id = $1 AND event_id = $2 AND claim = $3 AND attempts = $4 - 1 FOR UPDATE`,
    [subscriptionId, eventId, claim, attempt],
  );
  return rowCount === 1;
}

/** `undefined`: there is no further attempt. */
function nextDelayMs(
  { isTest, tries }: ClaimedMessage,
  { isDelivered, statusCode, retryAfterMs = 0 }: AttemptResult,
  { retryDelaysMs }: DeliveryConfig,
): number | undefined {
  const delayMs = retryDelaysMs[tries];
  if (isDelivered || isTest || statusCode === GONE || delayMs === undefined) return undefined;
  const jitter = 1 - JITTER + 2 * JITTER * Math.random();
  return Math.max(Math.round(delayMs * jitter), retryAfterMs);
}

function outcomeOf(
  { isDelivered }: AttemptResult,
  { isActive, isLast }: { isActive: boolean; isLast: boolean },
): Exclude<Recorded['outcome'], 'over'> {
  if (isDelivered) return 'delivered';
  if (isLast) return 'failed';
  return isActive ? 'pending' : 'skipped';
}

interface FailureRow {
  status: string;
  consecutive_failures: number;
  first_failed_at: Date;
}

/** Counts failures, and stops a subscription that has had too many. Returns whether it is active. */
async function noteForSubscription(
  client: PoolClient,
  message: ClaimedMessage,
  result: AttemptResult,
  config: DeliveryConfig,
): Promise<boolean> {
  const slow = result.durationMs > config.slowMs;
  if (result.isDelivered) {
    await client.query(
      `UPDATE subscription SET consecutive_failures = 0, first_failed_at = NULL, throttled_until = NULL, slow = $2
       WHERE tenant_id = current_tenant() AND id = $1 AND (consecutive_failures > 0 OR throttled_until IS NOT NULL OR slow <> $2)`,
      [message.subscriptionId, slow],
    );
    return true;
  }
  const { rows } = await client.query<FailureRow>(
    `UPDATE subscription SET consecutive_failures = consecutive_failures + 1, first_failed_at = coalesce(first_failed_at, $2), slow = $3,
       throttled_until = now() + greatest($4::float8, CASE WHEN consecutive_failures + 1 >= $5 THEN $6::float8 ELSE 0 END) * interval '1 millisecond'
     WHERE tenant_id = current_tenant() AND id = $1 RETURNING status, consecutive_failures, first_failed_at`,
    [
      message.subscriptionId,
      result.at,
      slow,
      restAsked(result, config),
      config.restAfterFailures,
      config.restMs,
    ],
  );
  const [failed] = rows;
  if (failed?.status !== 'active') return false;
  if (result.statusCode === GONE) {
    await stop(client, message, 'disabled', 'The receiver answered HTTP 410: it is gone for good.');
    return false;
  }
  const failingMs = result.at.getTime() - failed.first_failed_at.getTime();
  if (failed.consecutive_failures < config.pauseAfterFailures || failingMs < config.pauseAfterMs) return true;
  const since = failed.first_failed_at.toISOString();
  await stop(
    client,
    message,
    'paused',
    `${failed.consecutive_failures} attempts in a row have failed since ${since}; of the last one: ${result.error ?? 'unknown'}.`,
  );
  return false;
}

function restAsked({ statusCode, retryAfterMs }: AttemptResult, { restMs }: DeliveryConfig): number {
  if (!THROTTLING.has(statusCode)) return 0;
  return retryAfterMs ?? (statusCode === TOO_MANY ? restMs : 0);
}

/** With a notice: an alert, which is an event itself. */
async function stop(
  client: PoolClient,
  { tenantId, subscriptionId, url }: ClaimedMessage,
  status: 'paused' | 'disabled',
  reason: string,
): Promise<void> {
  await stopSubscription(client, subscriptionId, { status, reason });
  // Of the address only its host: the rest may hold a secret.
  const { host } = new URL(url);
  await openAlert(client, {
    tenantId,
    key: subscriptionAlertKey(subscriptionId),
    kind: `subscription_${status}`,
    severity: 'warning',
    title: `Events are no longer sent to ${host}`,
    message: `${reason} Fix the receiver, then resume subscription ${subscriptionId}; missed events can be replayed.`,
    details: { subscription_id: subscriptionId },
    at: new Date(),
  });
}

async function reserveNext(
  client: PoolClient,
  { tenantId, subscriptionId, eventId }: ClaimedMessage,
): Promise<Recorded['next']> {
  const claim = newClaim();
  const { rows } = await client.query<{ event_id: string }>(
    `UPDATE outbound_webhook_message m SET claim = $3, claimed_until = now() + $4 * interval '1 second'
     FROM (
       SELECT w.tenant_id, w.subscription_id, w.event_id FROM outbound_webhook_message w
       JOIN subscription s ON s.tenant_id = w.tenant_id AND s.id = w.subscription_id
       WHERE w.tenant_id = current_tenant() AND w.subscription_id = $1 AND w.event_id <> $2 AND w.state = 'pending' AND w.next_attempt_at <= now()
         AND (w.claim IS NULL OR w.claimed_until < now()) AND s.status = 'active' AND coalesce(s.throttled_until <= now(), true)
       ORDER BY w.next_attempt_at, w.event_id LIMIT 1 FOR UPDATE OF w SKIP LOCKED) next
     WHERE m.tenant_id = next.tenant_id AND m.subscription_id = next.subscription_id AND m.event_id = next.event_id RETURNING m.event_id`,
    [subscriptionId, eventId, claim, RESERVED_SECONDS],
  );
  const [next] = rows;
  return next && { key: { tenantId, subscriptionId, eventId: Number(next.event_id) }, claim };
}
