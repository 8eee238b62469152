/** Deliveries of inbound webhooks and their outcomes. Inside the caller's transaction, as the tenant. */
import { z } from 'zod';
import type { KeyRing } from '../credentials/key-ring.js';
import type { Queryable } from '../database/database.js';
import { openBody } from './sealing.js';

export const INBOUND_DELIVERY_STATES = ['received', 'processed', 'ignored', 'failed'] as const;
export type InboundDeliveryState = (typeof INBOUND_DELIVERY_STATES)[number];

const tasksSchema = z.array(z.object({ id: z.string(), task: z.string() }));

export interface InboundDelivery {
  id: number;
  endpointId: string;
  dedupKey: string;
  type: string;
  receivedAt: Date;
  state: InboundDeliveryState;
  processedAt: Date | null;
  /** Its effects, in words. */
  effect: string | null;
  tasks: { id: string; task: string }[];
  error: string | null;
  replays: number;
  lastReplayedAt: Date | null;
}

interface DeliveryRow {
  id: string;
  endpoint_id: string;
  dedup_key: string;
  type: string;
  received_at: Date;
  state: string;
  processed_at: Date | null;
  effect: string | null;
  tasks: unknown;
  error: string | null;
  replays: number;
  last_replayed_at: Date | null;
}

const COLUMNS =
  'id, endpoint_id, dedup_key, type, received_at, state, processed_at, effect, tasks, error, replays, last_replayed_at';

function toDelivery(row: DeliveryRow): InboundDelivery {
  return {
    id: Number(row.id),
    endpointId: row.endpoint_id,
    dedupKey: row.dedup_key,
    type: row.type,
    receivedAt: row.received_at,
    state: z.enum(INBOUND_DELIVERY_STATES).parse(row.state),
    processedAt: row.processed_at,
    effect: row.effect,
    tasks: tasksSchema.parse(row.tasks),
    error: row.error,
    replays: row.replays,
    lastReplayedAt: row.last_replayed_at,
  };
}

export interface DeliveryFilter {
  state?: InboundDeliveryState | undefined;
  type?: string | undefined;
  since?: Date | undefined;
  until?: Date | undefined;
}

const MATCHES = `tenant_id = current_tenant() AND endpoint_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR type = $3)
  AND ($4::timestamptz IS NULL OR received_at >= $4) AND ($5::timestamptz IS NULL OR received_at < $5)`;

function valuesOf(endpointId: string, { state, type, since, until }: DeliveryFilter): unknown[] {
  return [endpointId, state ?? null, type ?? null, since ?? null, until ?? null];
}

/** The newest first. @param before id of the last one of the page before */
export async function listWebhookDeliveries(
  client: Queryable,
  endpointId: string,
  { limit, before, ...filter }: DeliveryFilter & { limit: number; before?: number | undefined },
): Promise<InboundDelivery[]> {
  const { rows } = await client.query<DeliveryRow>(
    `SELECT ${COLUMNS} FROM inbound_webhook_delivery WHERE ${MATCHES} AND ($6::bigint IS NULL OR id < $6) ORDER BY id DESC LIMIT $7`,
    [...valuesOf(endpointId, filter), before ?? null, limit],
  );
  return rows.map(toDelivery);
}

/** The oldest first, so that a replay keeps the order. @param after id of the last one before */
export async function webhookDeliveryIds(
  client: Queryable,
  endpointId: string,
  { limit, after, ...filter }: DeliveryFilter & { limit: number; after?: number | undefined },
): Promise<number[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM inbound_webhook_delivery WHERE ${MATCHES} AND ($6::bigint IS NULL OR id > $6) ORDER BY id LIMIT $7`,
    [...valuesOf(endpointId, filter), after ?? null, limit],
  );
  return rows.map(({ id }) => Number(id));
}

/** With what was sent. */
export interface WebhookDeliveryDetail extends InboundDelivery {
  headers: Record<string, string>;
  body: string;
  /** Key of its effects. */
  identity: string;
}

/** @throws CredentialsError when the body cannot be decrypted any more */
export async function findWebhookDelivery(
  client: Queryable,
  keys: KeyRing,
  tenantId: number,
  id: number,
): Promise<WebhookDeliveryDetail | undefined> {
  const { rows } = await client.query<
    DeliveryRow & { headers: Record<string, string>; body: Buffer; body_key_id: string; identity: string }
  >(
    `SELECT ${COLUMNS}, headers, body, body_key_id, identity FROM inbound_webhook_delivery WHERE tenant_id = current_tenant() AND id = $1`,
    [id],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const owner = { tenantId, endpointId: row.endpoint_id, dedupKey: row.dedup_key };
  const body = openBody(keys, owner, { ciphertext: row.body, keyId: row.body_key_id });
  return { ...toDelivery(row), headers: row.headers, identity: row.identity, body };
}
