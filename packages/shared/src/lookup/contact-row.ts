/** A WhatsApp contact as its row holds it: what it is known by is sealed, and found by its hash. */
import { sealCredentials } from '../credentials/credentials.js';
import type { KeyRing } from '../credentials/key-ring.js';
import { lookupHash, plainHash } from './lookup-hash.js';

/** Columns of `whatsapp_contact`. */
export interface ContactRow {
  phone_hash: Buffer;
  phone: Buffer;
  phone_key_id: string;
  hash_key_id: string;
}

/** @param name digits of the number, or a user id */
export function contactRow(keys: KeyRing, tenantId: number, name: string): ContactRow {
  const { hash, keyId } = lookupHash(keys, tenantId, plainHash(name));
  const sealed = sealCredentials(keys, { tenantId, platform: 'whatsapp_contact', externalId: hash }, name);
  return {
    phone_hash: Buffer.from(hash, 'hex'),
    phone: sealed.ciphertext,
    phone_key_id: sealed.keyId,
    hash_key_id: keyId,
  };
}
