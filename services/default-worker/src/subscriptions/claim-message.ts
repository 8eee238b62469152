/**
 * Claims a message for the task that is to deliver it. The claim is the task's id: a task that is delivered again after its worker was lost
 * has it already, any other one finds it taken. Claims of one subscription are made one after the other, so that no more than a few of
 * its deliveries run at a time.
 */
import { withTenant, type SealedCredentials } from '@stratum/shared';
import type { MessageKey } from '@stratum/shared/subscriptions';
import { TEST_EVENT_TYPE } from '@stratum/shared/subscriptions';
import type { Pool, PoolClient } from 'pg';

export interface ClaimedMessage extends MessageKey {
  claim: string;
  url: string;
  /** The current one first. */
  secrets: SealedCredentials[];
  event: { type: string; data: unknown; occurredAt: Date };
  /** A test event: sent once, whatever the outcome. */
  isTest: boolean;
  /** The number of the attempt that is to be made: 1 is the first. */
  attempt: number;
  /** Attempts before it since the message was last asked for. */
  tries: number;
}

export type Claim =
  | { kind: 'claimed'; message: ClaimedMessage }
  /** There is nothing to do for it any more. */
  | { kind: 'over' | 'skipped' }
  /** Another task is at it, or its receiver has no place. */
  | { kind: 'waiting' }
  /** Its receiver is quick, but this process has no place. */
  | { kind: 'crowded' }
  /** Its next attempt is not due yet. */
  | { kind: 'early'; delayMs: number };

interface MessageRow {
  url: string;
  status: string;
  secret: Buffer;
  secret_key_id: string;
  previous_secret: Buffer | null;
  previous_key_id: string | null;
  slow: boolean;
  throttled: boolean;
  state: string;
  attempts: number;
  tries: number;
  claim: string | null;
  is_claimed: boolean;
  wait_ms: number | null;
  busy: number;
  type: string;
  data: unknown;
  occurred_at: Date;
}

/** Longer than an attempt can take. */
const CLAIM_SECONDS = 60;
/** A task may be handed out a little before its time. */
const EARLY_MS = 250;

const READ = `
  SELECT s.url, s.status, s.secret, s.secret_key_id, s.slow, coalesce(s.throttled_until > now(), false) AS throttled,
    CASE WHEN s.previous_until > now() THEN s.previous_secret END AS previous_secret, s.previous_key_id,
    m.state, m.attempts, m.tries, m.claim, coalesce(m.claimed_until > now(), false) AS is_claimed,
    (extract(epoch FROM m.next_attempt_at - now()) * 1000)::float8 AS wait_ms,
    (SELECT count(*)::int FROM outbound_webhook_message b WHERE b.tenant_id = m.tenant_id AND b.subscription_id = m.subscription_id
       AND b.event_id <> m.event_id AND b.claim IS NOT NULL AND b.claimed_until > now()) AS busy,
    e.type, e.data, e.occurred_at
  FROM outbound_webhook_message m
  JOIN subscription s ON s.tenant_id = m.tenant_id AND s.id = m.subscription_id
  JOIN domain_event e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
  WHERE m.tenant_id = current_tenant() AND m.subscription_id = $1 AND m.event_id = $2`;

export function claimMessage(
  pool: Pool,
  key: MessageKey,
  {
    claim,
    perSubscription,
    admit,
  }: {
    claim: string;
    perSubscription: number;
    /** Takes a place of this process for a receiver that is, or is not, slow; false when there is none. */
    admit: (slow: boolean) => boolean;
  },
): Promise<Claim> {
  return withTenant(pool, key.tenantId, async (client): Promise<Claim> => {
    await lockSubscription(client, key.subscriptionId);
    const { rows } = await client.query<MessageRow>(READ, [key.subscriptionId, key.eventId]);
    const [row] = rows;
    if (row === undefined || row.state !== 'pending') return { kind: 'over' };
    const isTest = row.type === TEST_EVENT_TYPE;
    const isAnothers = row.is_claimed && row.claim !== claim;
    if (isAnothers) return { kind: 'waiting' };
    if (row.status !== 'active' && !isTest) {
      await endMessage(client, key);
      return { kind: 'skipped' };
    }
    const delayMs = row.wait_ms ?? 0;
    if (delayMs > EARLY_MS && row.claim !== claim) return { kind: 'early', delayMs: Math.ceil(delayMs) };
    const isFull = row.busy >= perSubscription || (row.throttled && !isTest);
    if (isFull || !admit(row.slow)) {
      await dropClaim(client, key, claim);
      return { kind: isFull || row.slow ? 'waiting' : 'crowded' };
    }
    await client.query(
      `UPDATE outbound_webhook_message SET claim = $3, claimed_until = now() + $4 * interval '1 second'
       WHERE tenant_id = current_tenant() AND subscription_id = $1 AND event_id = $2`,
      [key.subscriptionId, key.eventId, claim, CLAIM_SECONDS],
    );
    return { kind: 'claimed', message: toMessage(key, claim, row) };
  });
}

/** Taken before anything of the subscription is changed, in every transaction, so that none waits for another in a circle. */
export async function lockSubscription(client: PoolClient, subscriptionId: string): Promise<void> {
  await client.query(
    'SELECT FROM subscription WHERE tenant_id = current_tenant() AND id = $1 FOR NO KEY UPDATE',
    [subscriptionId],
  );
}

async function dropClaim(client: PoolClient, key: MessageKey, claim: string): Promise<void> {
  await client.query(
    `UPDATE outbound_webhook_message SET claim = NULL, claimed_until = NULL
     WHERE tenant_id = current_tenant() AND subscription_id = $1 AND event_id = $2 AND claim = $3`,
    [key.subscriptionId, key.eventId, claim],
  );
}

async function endMessage(client: PoolClient, key: MessageKey): Promise<void> {
  await client.query(
    `UPDATE outbound_webhook_message SET state = 'skipped', next_attempt_at = NULL, finished_at = now(), claim = NULL, claimed_until = NULL
     WHERE tenant_id = current_tenant() AND subscription_id = $1 AND event_id = $2`,
    [key.subscriptionId, key.eventId],
  );
}

function toMessage(key: MessageKey, claim: string, row: MessageRow): ClaimedMessage {
  const secrets = [{ keyId: row.secret_key_id, ciphertext: row.secret }];
  if (row.previous_secret !== null && row.previous_key_id !== null)
    secrets.push({ keyId: row.previous_key_id, ciphertext: row.previous_secret });
  return {
    ...key,
    claim,
    url: row.url,
    secrets,
    event: { type: row.type, data: row.data, occurredAt: row.occurred_at },
    isTest: row.type === TEST_EVENT_TYPE,
    attempt: row.attempts + 1,
    tries: row.tries,
  };
}
