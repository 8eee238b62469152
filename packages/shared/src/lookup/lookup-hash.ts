/**
 * What people are known by (addresses, numbers, ids) is found by a hash with a key: HMAC-SHA-256 (RFC 2104) over the tenant and the SHA-256 of the
 * normalised value. Whoever has the table, but not the key, can neither try addresses nor compare tenants. The key is derived from a key of the
 * ring (HKDF, RFC 5869), so that a new key of the ring is a new key here, too; `hash_key_id` of a row says whose hash it is, and is empty for
 * a plain SHA-256, as versions before wrote it.
 */
import { createHmac, hash } from 'node:crypto';
import { derivedKey, type KeyRing } from '../credentials/key-ring.js';

const derived = new WeakMap<KeyRing, Map<string, Buffer>>();

export interface LookupHash {
  keyId: string;
  /** Hexadecimal digits. */
  hash: string;
}

/** SHA-256 of a normalised value, as hexadecimal digits: what stands for it in memory, and nowhere else. */
export function plainHash(value: string): string {
  return hash('sha256', value, 'hex');
}

/** The hash that is stored. @param plain of `plainHash` */
export function lookupHash(ring: KeyRing, tenantId: number, plain: string): LookupHash {
  return hashWith(ring, ring.current.id, tenantId, plain);
}

/**
 * All hashes that a stored row may have, the current one first.
 * @param withPlain whether rows of versions before may be left. Default true
 */
export function lookupHashes(ring: KeyRing, tenantId: number, plain: string, withPlain = true): string[] {
  const hashes = (ring.ids ?? [ring.current.id]).map((id) => hashWith(ring, id, tenantId, plain).hash);
  return withPlain ? [...hashes, plain] : hashes;
}

function hashWith(ring: KeyRing, keyId: string, tenantId: number, plain: string): LookupHash {
  const text = createHmac('sha256', lookupKey(ring, keyId)).update(`${tenantId}:${plain}`).digest('hex');
  return { keyId, hash: text };
}

function lookupKey(ring: KeyRing, id: string): Buffer {
  const keys = derived.get(ring) ?? new Map<string, Buffer>();
  derived.set(ring, keys);
  const known = keys.get(id);
  if (known !== undefined) return known;
  const secret = ring.key(id);
  if (secret === undefined) throw new Error(`The key ring has no key "${id}".`);
  const key = derivedKey(secret, 'stratum.lookup');
  keys.set(id, key);
  return key;
}
