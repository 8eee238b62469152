/** The keys that encrypt credentials at rest, and others that come from them. */
import { hkdfSync } from 'node:crypto';

const KEY_BYTES = 32;
const ENTRY = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]+={0,2})$/;

export interface KeyRing {
  /** Encrypts everything new. */
  readonly current: { readonly id: string; readonly key: Buffer };
  /** Of all keys, the current one first. Absent: there is no other. */
  readonly ids?: readonly string[];
  /** `undefined` for an id that is not in the ring. */
  key(id: string): Buffer | undefined;
}

/**
 * Reads `<id>:<base64 of 32 bytes>[,<id>:<base64>…]`; the first key is the current one.
 * The error says what is wrong and never repeats the text, which holds the keys.
 */
export function parseKeyRing(text: string): KeyRing {
  const keys = new Map<string, Buffer>();
  for (const entry of text.split(',')) {
    const [, id, encoded] = ENTRY.exec(entry.trim()) ?? [];
    const key = Buffer.from(encoded ?? '', 'base64');
    if (id === undefined || key.length !== KEY_BYTES) {
      throw new Error(
        'must be <key id>:<base64 of 32 bytes>, for example made by: echo "k1:$(openssl rand -base64 32)"',
      );
    }
    if (keys.has(id)) throw new Error(`names the key id "${id}" twice`);
    keys.set(id, key);
  }
  const [first] = keys;
  if (first === undefined) throw new Error('must name at least one key');
  const ring: KeyRing = {
    current: { id: first[0], key: first[1] },
    ids: Object.freeze([...keys.keys()]),
    key: (id) => keys.get(id),
  };
  // Keys must not show when a configuration is logged.
  return Object.freeze({ ...ring, toJSON: () => ({ current: first[0] }) });
}

/** A key for one purpose alone (HKDF with SHA-256, RFC 5869): who has it learns neither the key that it comes from nor another. */
export function derivedKey(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', purpose, KEY_BYTES));
}
