/** Stopping a subscription and starting it again. Inside the caller's transaction, as the tenant. */
import { closeAlert } from '../alerts/alerts.js';
import type { Queryable } from '../database/database.js';
import { replayMissed } from './deliveries.js';
import {
  findSubscription,
  subscriptionAlertKey,
  type Subscription,
  type SubscriptionState,
} from './subscriptions.js';

/** Waiting events are not sent any more, and can be replayed. Returns whether there is one of that id. */
export async function stopSubscription(
  client: Queryable,
  id: string,
  { status, reason }: { status: Exclude<SubscriptionState, 'active'>; reason: string },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE subscription SET status = $2, status_reason = $3, status_changed_at = now()
     WHERE tenant_id = current_tenant() AND id = $1`,
    [id, status, reason],
  );
  await client.query(
    `UPDATE outbound_webhook_message SET state = 'skipped', next_attempt_at = NULL, finished_at = now(), claim = NULL, claimed_until = NULL
     WHERE tenant_id = current_tenant() AND subscription_id = $1 AND state = 'pending' AND (claim IS NULL OR claimed_until < now())`,
    [id],
  );
  return rowCount === 1;
}

interface Resumed {
  /** From when on something may have been missed: the first failure, or the stop. `null`: it was active. */
  missedSince: Date | null;
}

/** With a clean slate. `undefined` when there is none of that id. */
async function resumeSubscription(client: Queryable, id: string): Promise<Resumed | undefined> {
  const { rows } = await client.query<{ missed_since: Date | null }>(
    `UPDATE subscription s SET status = 'active', status_reason = NULL, consecutive_failures = 0, first_failed_at = NULL, throttled_until = NULL,
       status_changed_at = CASE WHEN old.status = 'active' THEN old.status_changed_at ELSE now() END
     FROM (SELECT tenant_id, id, status, status_changed_at, first_failed_at FROM subscription
           WHERE tenant_id = current_tenant() AND id = $1 FOR UPDATE) old
     WHERE s.tenant_id = old.tenant_id AND s.id = old.id
     RETURNING CASE WHEN old.status <> 'active' THEN least(old.first_failed_at, old.status_changed_at) END AS missed_since`,
    [id],
  );
  const [resumed] = rows;
  if (resumed === undefined) return undefined;
  await closeAlert(client, subscriptionAlertKey(id), 'resumed', new Date());
  return { missedSince: resumed.missed_since };
}

/**
 * Resumes it, and makes what it has missed wait again, if that is wished. Tasks have to be made for the returned events, once the transaction
 * is committed. `undefined` when there is none of that id.
 */
export async function resumeWithMissed(
  client: Queryable,
  id: string,
  { replay, since }: { replay: boolean; since?: Date | undefined },
): Promise<{ subscription: Subscription; events: number[] } | undefined> {
  const done = await resumeSubscription(client, id);
  const subscription = await findSubscription(client, id);
  if (subscription === undefined) return undefined;
  const from = since ?? done?.missedSince;
  return { subscription, events: replay && from ? await replayMissed(client, subscription, from) : [] };
}
