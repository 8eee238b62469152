/** Subscriptions: who wants which events at which address. Every function runs inside the caller's transaction, as the tenant. */
import { closeAlert } from '../alerts/alerts.js';
import type { KeyRing } from '../credentials/key-ring.js';
import type { Queryable } from '../database/database.js';
import { isDomainEventType, type DomainEventType } from '../domain-events/payloads.js';
import { requireRoom } from '../quotas/quotas.js';
import { newSubscriptionId } from './subscription-id.js';
import { newSigningSecret, sealSecret } from './signing.js';

export const SUBSCRIPTION_STATES = ['active', 'paused', 'disabled'] as const;
export type SubscriptionState = (typeof SUBSCRIPTION_STATES)[number];

export interface Subscription {
  id: string;
  url: string;
  eventTypes: DomainEventType[];
  description: string;
  status: SubscriptionState;
  /** Why it is not active. */
  statusReason: string | null;
  statusChangedAt: Date;
  /** Attempts in a row without a success. */
  consecutiveFailures: number;
  firstFailedAt: Date | null;
  /** Until then the secret before the last rotation signs, too. */
  previousSecretUntil: Date | null;
  createdAt: Date;
}

/** Fields that its owner sets. */
export interface SubscriptionWishes {
  url: string;
  eventTypes: readonly DomainEventType[];
  description: string;
}

/** A refused change of a subscription, with the reason. */
export class SubscriptionError extends Error {
  constructor(
    readonly code: 'not_active' | 'in_flight',
    message: string,
  ) {
    super(message);
    this.name = 'SubscriptionError';
  }
}

/** How long the secret before a rotation goes on signing, in milliseconds. */
export const SECRET_GRACE_MS = 24 * 3_600_000;

const COLUMNS = `id, url, event_types, description, status, status_reason, status_changed_at, consecutive_failures, first_failed_at,
  CASE WHEN previous_until > now() THEN previous_until END AS previous_until, created_at`;

interface SubscriptionRow {
  id: string;
  url: string;
  event_types: string[];
  description: string;
  status: SubscriptionState;
  status_reason: string | null;
  status_changed_at: Date;
  consecutive_failures: number;
  first_failed_at: Date | null;
  previous_until: Date | null;
  created_at: Date;
}

function toSubscription(row: SubscriptionRow): Subscription {
  return {
    id: row.id,
    url: row.url,
    eventTypes: row.event_types.filter(isDomainEventType),
    description: row.description,
    status: row.status,
    statusReason: row.status_reason,
    statusChangedAt: row.status_changed_at,
    consecutiveFailures: row.consecutive_failures,
    firstFailedAt: row.first_failed_at,
    previousSecretUntil: row.previous_until,
    createdAt: row.created_at,
  };
}

/** The secret is returned this once. @throws QuotaExceededError */
export async function createSubscription(
  client: Queryable,
  keys: KeyRing,
  { tenantId, url, eventTypes, description }: SubscriptionWishes & { tenantId: number },
): Promise<{ subscription: Subscription; secret: string }> {
  await requireRoom(client, 'subscriptions');
  const id = newSubscriptionId();
  const secret = newSigningSecret();
  const sealed = sealSecret(keys, { tenantId, subscriptionId: id }, secret);
  const { rows } = await client.query<SubscriptionRow>(
    `INSERT INTO subscription (tenant_id, id, url, event_types, description, secret, secret_key_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
    [tenantId, id, url, [...new Set(eventTypes)], description, sealed.ciphertext, sealed.keyId],
  );
  const subscription = rows.map(toSubscription)[0];
  if (subscription === undefined) throw new Error('The subscription was not stored.');
  return { subscription, secret };
}

/** The newest first. */
export async function listSubscriptions(client: Queryable): Promise<Subscription[]> {
  const { rows } = await client.query<SubscriptionRow>(
    `SELECT ${COLUMNS} FROM subscription WHERE tenant_id = current_tenant() ORDER BY created_at DESC, id`,
  );
  return rows.map(toSubscription);
}

export async function findSubscription(client: Queryable, id: string): Promise<Subscription | undefined> {
  const { rows } = await client.query<SubscriptionRow>(
    `SELECT ${COLUMNS} FROM subscription WHERE tenant_id = current_tenant() AND id = $1`,
    [id],
  );
  return rows.map(toSubscription)[0];
}

/** Another address begins with a clean slate. `undefined` when there is none of that id. */
export async function updateSubscription(
  client: Queryable,
  id: string,
  wishes: Partial<SubscriptionWishes>,
): Promise<Subscription | undefined> {
  const { rows } = await client.query<SubscriptionRow>(
    `UPDATE subscription SET url = coalesce($2, url), event_types = coalesce($3, event_types), description = coalesce($4, description),
       consecutive_failures = CASE WHEN $2 <> url THEN 0 ELSE consecutive_failures END,
       first_failed_at = CASE WHEN $2 <> url THEN NULL ELSE first_failed_at END,
       throttled_until = CASE WHEN $2 <> url THEN NULL ELSE throttled_until END,
       slow = CASE WHEN $2 <> url THEN false ELSE slow END
     WHERE tenant_id = current_tenant() AND id = $1 RETURNING ${COLUMNS}`,
    [
      id,
      wishes.url ?? null,
      wishes.eventTypes === undefined ? null : [...new Set(wishes.eventTypes)],
      wishes.description ?? null,
    ],
  );
  return rows.map(toSubscription)[0];
}

/** With everything that was sent to it. Returns whether there was one. */
export async function removeSubscription(client: Queryable, id: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'DELETE FROM subscription WHERE tenant_id = current_tenant() AND id = $1',
    [id],
  );
  if (rowCount === 1) await closeAlert(client, subscriptionAlertKey(id), 'removed', new Date());
  return rowCount === 1;
}

/** A new secret; the one before signs beside it for `graceMs` more. `undefined` when there is none of that id. */
export async function rotateSecret(
  client: Queryable,
  keys: KeyRing,
  { tenantId, id, graceMs = SECRET_GRACE_MS }: { tenantId: number; id: string; graceMs?: number },
): Promise<{ subscription: Subscription; secret: string } | undefined> {
  const secret = newSigningSecret();
  const sealed = sealSecret(keys, { tenantId, subscriptionId: id }, secret);
  const { rows } = await client.query<SubscriptionRow>(
    `UPDATE subscription SET previous_secret = secret, previous_key_id = secret_key_id, previous_until = now() + $4 * interval '1 millisecond',
       secret = $2, secret_key_id = $3
     WHERE tenant_id = current_tenant() AND id = $1 RETURNING ${COLUMNS}`,
    [id, sealed.ciphertext, sealed.keyId, graceMs],
  );
  const subscription = rows.map(toSubscription)[0];
  return subscription && { subscription, secret };
}

/** The key of the alert for a subscription that was stopped by its failures. */
export function subscriptionAlertKey(id: string): string {
  return `subscription/${id}`;
}
