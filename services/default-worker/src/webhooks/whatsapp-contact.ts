/** Contacts as webhooks change them. A contact's latest message decides, in any order of arrival. */
import { createHash } from 'node:crypto';
import { sealCredentials } from '@stratum/shared';
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
  const hash = createHash('sha256').update(phone).digest();
  const owner = { tenantId, platform: 'whatsapp_contact', externalId: hash.toString('hex') };
  const sealed = sealCredentials(keys, owner, phone);
  await client.query(
    `INSERT INTO whatsapp_contact (tenant_id, phone_hash, phone, phone_key_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
    [tenantId, hash, sealed.ciphertext, sealed.keyId],
  );
  if (wrote) {
    await client.query(
      'UPDATE whatsapp_contact SET last_inbound_at = greatest(last_inbound_at, $2) WHERE phone_hash = $1',
      [hash, at],
    );
  }
  if (consent === 'opted_out') {
    await client.query(
      `UPDATE whatsapp_contact SET opted_out_at = $2
       WHERE phone_hash = $1 AND opted_out_at IS NULL AND (opted_in_at IS NULL OR opted_in_at <= $2)`,
      [hash, at],
    );
  } else if (consent === 'opted_in') {
    await client.query(
      `UPDATE whatsapp_contact SET opted_in_at = greatest(opted_in_at, $2), opted_out_at = NULL
       WHERE phone_hash = $1 AND (opted_out_at IS NULL OR opted_out_at < $2)`,
      [hash, at],
    );
  }
  return [wrote ? 'the contact has written' : undefined, consent?.replace('_', ' ')]
    .filter(Boolean)
    .join(', ');
}

/** The provider refused a message because its contact wants none. */
export async function noteOptOutOfMessage(client: PoolClient, providerId: string, at: Date): Promise<void> {
  await client.query(
    `UPDATE whatsapp_contact SET opted_out_at = coalesce(opted_out_at, $2)
     WHERE id = (SELECT contact_id FROM whatsapp_message WHERE provider_id = $1)`,
    [providerId, at],
  );
}
