/** A key that groups tasks, as subjects and people have it. Without schemas: commands that show keys start faster. */
import { createHash } from 'node:crypto';
import { cut } from '../values/any-value.js';

/** Characters of a key that people see. */
export const SHOWN_KEY = 100;

/** A key of any length as one token of a subject. */
export function keyToken(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 32);
}

/** A key for people: one line, cut. */
export function shownKey(key: string): string {
  return cut(key.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, ' '), SHOWN_KEY);
}
