/** Contacts as webhooks change them. A contact's latest message decides, in any order of arrival. */
import { lookupHash, lookupHashes, plainHash, sealCredentials, type KeyRing } from '@stratum/shared';
import type { PoolClient } from 'pg';
import type { IncomingEvent } from './plan.js';

export type Consent = 'opted_out' | 'opted_in';

export interface Inbound {
  /** Digits, with the country's code. */
  phone: string;
  at: Date;
  consent: Consent | undefined;
  /** It wrote itself, which opens the day's window for free texts. */
  wrote: boolean;
}

/** Inside the caller's transaction, as the tenant. An unknown sender becomes a contact. Returns a description of the change. */
export async function noteInbound(
  client: PoolClient,
  { tenantId, keys }: Pick<IncomingEvent, 'tenantId' | 'keys'>,
  { phone, at, consent, wrote }: Inbound,
): Promise<string> {
  const id = await contactOf(client, { tenantId, keys, phone });
  if (wrote) {
    await client.query(
      'UPDATE whatsapp_contact SET last_inbound_at = greatest(last_inbound_at, $2) WHERE id = $1',
      [id, at],
    );
  }
  if (consent === 'opted_out') {
    await client.query(
      `UPDATE whatsapp_contact SET opted_out_at = $2
       WHERE id = $1 AND opted_out_at IS NULL AND (opted_in_at IS NULL OR opted_in_at <= $2)`,
      [id, at],
    );
  } else if (consent === 'opted_in') {
    await client.query(
      `UPDATE whatsapp_contact SET opted_in_at = greatest(opted_in_at, $2), opted_out_at = NULL
       WHERE id = $1 AND (opted_out_at IS NULL OR opted_out_at < $2)`,
      [id, at],
    );
  }
  return [wrote ? 'the contact has written' : undefined, consent?.replace('_', ' ')]
    .filter(Boolean)
    .join(', ');
}

/** The contact with this number; made, if there is none. */
async function contactOf(
  client: PoolClient,
  { tenantId, keys, phone }: { tenantId: number; keys: KeyRing; phone: string },
): Promise<string> {
  const plain = plainHash(phone);
  const { hash, keyId: hashKeyId } = lookupHash(keys, tenantId, plain);
  const find = async (): Promise<string | undefined> => {
    const { rows } = await client.query<{ id: string }>(
      `SELECT id FROM whatsapp_contact WHERE tenant_id = current_tenant()
         AND phone_hash = ANY (SELECT decode(hash, 'hex') FROM unnest($1::text[]) AS hash) LIMIT 1`,
      [lookupHashes(keys, tenantId, plain)],
    );
    return rows[0]?.id;
  };
  const known = await find();
  if (known !== undefined) return known;
  const sealed = sealCredentials(keys, { tenantId, platform: 'whatsapp_contact', externalId: hash }, phone);
  await client.query(
    `INSERT INTO whatsapp_contact (tenant_id, phone_hash, phone, phone_key_id, hash_key_id) VALUES ($1, decode($2, 'hex'), $3, $4, $5)
     ON CONFLICT DO NOTHING`,
    [tenantId, hash, sealed.ciphertext, sealed.keyId, hashKeyId],
  );
  const made = await find();
  if (made === undefined) throw new Error('The contact was not stored.');
  return made;
}

/** The provider refused a message because its contact wants none. */
export async function noteOptOutOfMessage(client: PoolClient, providerId: string, at: Date): Promise<void> {
  await client.query(
    `UPDATE whatsapp_contact SET opted_out_at = coalesce(opted_out_at, $2)
     WHERE id = (SELECT contact_id FROM whatsapp_message WHERE provider_id = $1)`,
    [providerId, at],
  );
}
