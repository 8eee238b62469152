/**
 * The contacts that one person is: known by number, by the `wa_id` that WhatsApp makes of it, and by the user id of the business. Consent holds
 * under every one of these names. All of it inside the caller's transaction, as the tenant.
 */
import { contactRow, lookupHashes, phoneVariants, plainHash, type KeyRing } from '@stratum/shared';
import type { PoolClient } from 'pg';

export interface Named {
  tenantId: number;
  keys: KeyRing;
  /** Numbers as digits, and user ids; the number first. */
  ids: readonly string[];
  /** Contacts that are known to be this person. */
  known?: readonly string[];
}

/** All contacts of the person, which from now on have all of the names. An unknown person becomes a contact. */
export async function contactsOf(client: PoolClient, named: Named): Promise<string[]> {
  const found = await findContacts(client, named);
  if (found.length === 0) {
    await addContact(client, named);
    found.push(...(await findContacts(client, named)));
  }
  if (found.length === 0) throw new Error('The contact was not stored.');
  const { tenantId, keys, ids } = named;
  const names = [...new Set(ids)].map((id) => contactRow(keys, tenantId, id));
  await client.query(
    `INSERT INTO whatsapp_identity AS known (tenant_id, hash, contact_id, ciphertext, key_id, hash_key_id)
     SELECT current_tenant(), n.hash, c.id, n.ciphertext, n.key_id, n.hash_key_id
     FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[]) AS n (hash, ciphertext, key_id, hash_key_id), whatsapp_contact c
     WHERE c.tenant_id = current_tenant() AND c.id = ANY ($5::bigint[]) AND c.phone_hash <> n.hash
       -- Known names lock nothing: a crowd of messages of one person would wait for each other.
       AND NOT EXISTS (SELECT FROM whatsapp_identity k
         WHERE k.tenant_id = current_tenant() AND k.hash = n.hash AND k.contact_id = c.id AND k.ciphertext IS NOT NULL)
     -- A version before kept no value.
     ON CONFLICT (tenant_id, hash, contact_id) DO UPDATE
       SET ciphertext = excluded.ciphertext, key_id = excluded.key_id, hash_key_id = excluded.hash_key_id WHERE known.ciphertext IS NULL`,
    [
      names.map((name) => name.phone_hash),
      names.map((name) => name.phone),
      names.map((name) => name.phone_key_id),
      names.map((name) => name.hash_key_id),
      found,
    ],
  );
  return found;
}

/** Nobody is asked again who has opted out under another name. */
export async function shareConsent(client: PoolClient, contacts: readonly string[]): Promise<void> {
  if (contacts.length < 2) return;
  await client.query(
    `UPDATE whatsapp_contact SET opted_out_at = latest.left_at
     FROM (SELECT max(opted_out_at) AS left_at, max(opted_in_at) AS joined_at FROM whatsapp_contact WHERE id = ANY ($1::bigint[])) latest
     WHERE id = ANY ($1::bigint[]) AND opted_out_at IS NULL AND latest.left_at IS NOT NULL AND (latest.joined_at IS NULL OR latest.left_at >= latest.joined_at)`,
    [contacts],
  );
}

/** Whether the person has opted out under any name. */
export async function hasOptedOut(client: PoolClient, named: Named): Promise<boolean> {
  const contacts = await findContacts(client, named);
  const { rowCount } = await client.query(
    'SELECT FROM whatsapp_contact WHERE id = ANY ($1::bigint[]) AND opted_out_at IS NOT NULL LIMIT 1',
    [contacts],
  );
  return rowCount !== 0;
}

async function findContacts(
  client: PoolClient,
  { tenantId, keys, ids, known = [] }: Named,
): Promise<string[]> {
  const hashes = ids.flatMap(phoneVariants).flatMap((id) => lookupHashes(keys, tenantId, plainHash(id)));
  const { rows } = await client.query<{ id: string }>(
    `WITH asked AS (SELECT decode(hash, 'hex') AS hash FROM unnest($1::text[]) AS hash), direct AS (
       SELECT id FROM whatsapp_contact WHERE tenant_id = current_tenant() AND (phone_hash IN (SELECT hash FROM asked) OR id = ANY ($2::bigint[]))
       UNION SELECT contact_id FROM whatsapp_identity WHERE tenant_id = current_tenant() AND hash IN (SELECT hash FROM asked)
     )
     SELECT id FROM direct
     UNION SELECT other.contact_id FROM direct
       JOIN whatsapp_identity one ON one.tenant_id = current_tenant() AND one.contact_id = direct.id
       JOIN whatsapp_identity other ON other.tenant_id = one.tenant_id AND other.hash = one.hash
     UNION SELECT c.id FROM direct
       JOIN whatsapp_identity one ON one.tenant_id = current_tenant() AND one.contact_id = direct.id
       JOIN whatsapp_contact c ON c.tenant_id = one.tenant_id AND c.phone_hash = one.hash`,
    [hashes, known],
  );
  return rows.map(({ id }) => id);
}

async function addContact(client: PoolClient, { tenantId, keys, ids: [id = ''] }: Named): Promise<void> {
  const row = contactRow(keys, tenantId, id);
  await client.query(
    `INSERT INTO whatsapp_contact (tenant_id, phone_hash, phone, phone_key_id, hash_key_id) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING`,
    [tenantId, row.phone_hash, row.phone, row.phone_key_id, row.hash_key_id],
  );
}
