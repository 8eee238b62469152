/** Write keys: they say which source events come from. */
import { createHash, randomBytes } from 'node:crypto';

const RANDOM_BYTES = 24;
const SHOWN = 7;
const KEY = /^wk_[A-Za-z0-9_-]{16,64}$/;

export function newWriteKey(): string {
  return `wk_${randomBytes(RANDOM_BYTES).toString('base64url')}`;
}

/** `false` for a text that cannot be a key: it is refused without asking the database. */
export function looksLikeWriteKey(text: string): boolean {
  return KEY.test(text);
}

/** A key is random and long: a plain hash reveals nothing of it. */
export function hashWriteKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Tells keys apart on a page. */
export function prefixOf(key: string): string {
  return key.slice(0, SHOWN);
}
