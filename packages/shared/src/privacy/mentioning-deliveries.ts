/** Inbound webhooks that name a person. Their bodies are encrypted, so all of a tenant's are opened, a page at a time. */
import type { PoolClient } from 'pg';
import type { KeyRing } from '../credentials/key-ring.js';
import { openBody } from '../webhooks/sealing.js';

export interface MentioningDelivery {
  id: string;
  endpoint_id: string;
  dedup_key: string;
  type: string;
  received_at: Date;
  /** Decrypted. */
  body: string;
}

type DeliveryRow = Omit<MentioningDelivery, 'body'> & { body: Buffer; body_key_id: string };

const PAGE = 200;

/** Inside the caller's transaction, as the tenant. A delivery may be changed once it is yielded. */
export async function* mentioningDeliveries(
  client: PoolClient,
  keys: KeyRing,
  tenantId: number,
  matches: (body: string) => boolean,
): AsyncGenerator<MentioningDelivery> {
  for (let after = '0', more = true; more;) {
    const { rows } = await client.query<DeliveryRow>(
      `SELECT id, endpoint_id, dedup_key, type, received_at, body, body_key_id FROM inbound_webhook_delivery
       WHERE tenant_id = current_tenant() AND id > $1 ORDER BY id LIMIT ${PAGE}`,
      [after],
    );
    for (const { body: ciphertext, body_key_id: keyId, ...row } of rows) {
      const owner = { tenantId, endpointId: row.endpoint_id, dedupKey: row.dedup_key };
      const body = openBody(keys, owner, { keyId, ciphertext });
      if (matches(body)) yield { ...row, body };
    }
    after = rows.at(-1)?.id ?? after;
    more = rows.length === PAGE;
  }
}
