/** Contacts as webhooks change them. A contact's latest message decides, in any order of arrival. */
import type { PoolClient } from 'pg';
import { contactsOf, shareConsent } from '../whatsapp/contacts.js';
import type { IncomingEvent } from './plan.js';

export type Consent = 'opted_out' | 'opted_in';

export interface Inbound {
  /** The sender's number and user id, as far as they are known. */
  ids: readonly string[];
  /** Of ours, that it answers. */
  answers?: string | undefined;
  at: Date;
  consent: Consent | undefined;
  /** It wrote itself, which opens the day's window for free texts. */
  wrote: boolean;
}

/** Inside the caller's transaction, as the tenant. An unknown sender becomes a contact. Returns a description of the change. */
export async function noteInbound(
  client: PoolClient,
  { tenantId, keys }: Pick<IncomingEvent, 'tenantId' | 'keys'>,
  { ids, answers, at, consent, wrote }: Inbound,
): Promise<string> {
  const known = await contactOfMessage(client, answers);
  const contacts = await contactsOf(client, { tenantId, keys, ids, known });
  if (wrote) {
    await client.query(
      'UPDATE whatsapp_contact SET last_inbound_at = greatest(last_inbound_at, $2) WHERE id = ANY ($1::bigint[])',
      [contacts, at],
    );
  }
  if (consent === 'opted_out') {
    await client.query(
      `UPDATE whatsapp_contact SET opted_out_at = $2
       WHERE id = ANY ($1::bigint[]) AND opted_out_at IS NULL AND (opted_in_at IS NULL OR opted_in_at <= $2)`,
      [contacts, at],
    );
  } else if (consent === 'opted_in') {
    await client.query(
      `UPDATE whatsapp_contact SET opted_in_at = greatest(opted_in_at, $2), opted_out_at = NULL
       WHERE id = ANY ($1::bigint[]) AND (opted_out_at IS NULL OR opted_out_at < $2)`,
      [contacts, at],
    );
  }
  await shareConsent(client, contacts);
  return [wrote ? 'the contact has written' : undefined, consent?.replace('_', ' ')]
    .filter(Boolean)
    .join(', ');
}

/** The contact of a message of ours, which an answer or a report names. */
export async function contactOfMessage(
  client: PoolClient,
  providerId: string | undefined,
): Promise<string[]> {
  if (providerId === undefined) return [];
  const { rows } = await client.query<{ contact_id: string }>(
    'SELECT contact_id FROM whatsapp_message WHERE provider_id = $1',
    [providerId],
  );
  return rows.map(({ contact_id: id }) => id);
}

/** The provider refused a message because its contact wants none. */
export async function noteOptOutOfMessage(client: PoolClient, providerId: string, at: Date): Promise<void> {
  await client.query(
    `UPDATE whatsapp_contact SET opted_out_at = coalesce(opted_out_at, $2)
     WHERE id = (SELECT contact_id FROM whatsapp_message WHERE provider_id = $1)`,
    [providerId, at],
  );
}
