/** The row of a delivery: claimed before anything follows from its event, and closed with what followed. */
import { type KeyRing } from '@stratum/shared';
import { sealBody } from '@stratum/shared/webhooks';
import type { PoolClient } from 'pg';

export interface ClaimedEvent {
  tenantId: number;
  endpointId: string;
  key: string;
  identity: string;
  type: string;
  receivedAt: Date;
  headers: Readonly<Record<string, string>>;
  body: string;
}

export interface EnqueuedTask {
  id: string;
  task: string;
}

export type Claim =
  /** It is ours to process: new, or begun before and not brought to an end. */
  | { kind: 'ours'; id: number }
  /** It was processed before. */
  | { kind: 'repeated' }
  /** Its body came before under another type, which no signature covers. */
  | { kind: 'contradicted'; id: number };

/** Inside the caller's transaction, as the tenant. Of two at the same time the second waits for the first. */
export async function claimDelivery(client: PoolClient, keys: KeyRing, event: ClaimedEvent): Promise<Claim> {
  const { tenantId, endpointId, key } = event;
  const sealed = sealBody(keys, { tenantId, endpointId, dedupKey: key }, event.body);
  const inserted = await client.query<{ id: string }>(
    `INSERT INTO inbound_webhook_delivery (tenant_id, endpoint_id, dedup_key, identity, type, received_at, state, headers, body, body_key_id)
     VALUES ($1, $2, $3, $4, $5, $6, 'received', $7, $8, $9) ON CONFLICT (tenant_id, endpoint_id, dedup_key) DO NOTHING RETURNING id`,
    [
      tenantId,
      endpointId,
      key,
      event.identity,
      event.type,
      event.receivedAt,
      JSON.stringify(event.headers),
      sealed.ciphertext,
      sealed.keyId,
    ],
  );
  const [fresh] = inserted.rows;
  if (fresh !== undefined) {
    const id = Number(fresh.id);
    return { kind: (await cameAsAnother(client, event)) ? 'contradicted' : 'ours', id };
  }
  const { rows } = await client.query<{ id: string; state: string }>(
    'SELECT id, state FROM inbound_webhook_delivery WHERE tenant_id = $1 AND endpoint_id = $2 AND dedup_key = $3 FOR UPDATE',
    [tenantId, endpointId, key],
  );
  const [row] = rows;
  if (row === undefined || row.state === 'processed' || row.state === 'ignored') return { kind: 'repeated' };
  return { kind: 'ours', id: Number(row.id) };
}

/** A new order that is paid or fulfilled at once has one body under these topics of Shopify. */
const TWINS = /^(\w+)\/(?:create|paid|fulfilled)$/;

async function cameAsAnother(
  client: PoolClient,
  { tenantId, endpointId, identity, type }: ClaimedEvent,
): Promise<boolean> {
  const [, resource] = TWINS.exec(type) ?? [];
  const twins =
    resource === undefined ? [] : ['create', 'paid', 'fulfilled'].map((verb) => `${resource}/${verb}`);
  const { rowCount } = await client.query(
    'SELECT FROM inbound_webhook_delivery WHERE tenant_id = $1 AND endpoint_id = $2 AND identity = $3 AND type <> ALL($4) LIMIT 1',
    [tenantId, endpointId, identity, [type, ...twins]],
  );
  return rowCount === 1;
}

export interface DeliveryEnd {
  state: 'processed' | 'ignored';
  effect: string | undefined;
  tasks: readonly EnqueuedTask[];
}

export async function closeDelivery(
  client: PoolClient,
  id: number,
  { state, effect, tasks }: DeliveryEnd,
): Promise<void> {
  await client.query(
    `UPDATE inbound_webhook_delivery SET state = $2, processed_at = now(), effect = $3, tasks = $4, error = NULL WHERE id = $1`,
    [id, state, effect ?? null, JSON.stringify(tasks)],
  );
}

const MAX_ERROR = 1_000;

/** A processed event stays processed, even if a later step fails. */
export async function failDelivery(client: PoolClient, id: number, error: string): Promise<void> {
  await client.query(
    `UPDATE inbound_webhook_delivery SET state = 'failed', processed_at = now(), error = $2 WHERE id = $1 AND state IN ('received', 'failed')`,
    [id, error.slice(0, MAX_ERROR)],
  );
}
