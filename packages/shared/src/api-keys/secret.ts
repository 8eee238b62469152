/** The text of an API key: `sk_<id>_<secret>`. The id may be shown anywhere; of the secret only its hash is kept. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { randomId } from '../random-id.js';

const ID_LENGTH = 16;
const KEY = /^sk_([a-z0-9]{16})_([A-Za-z0-9_-]{43})$/;

export interface ApiKeyText {
  id: string;
  secret: string;
}

/** 80 random bits, as text. */
export function newKeyId(): string {
  return randomId(ID_LENGTH);
}

/** 256 random bits, as text. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

export function formatKey({ id, secret }: ApiKeyText): string {
  return `sk_${id}_${secret}`;
}

/** `undefined` for a text that cannot be a key. */
export function parseKey(text: string): ApiKeyText | undefined {
  const [, id, secret] = KEY.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Takes the same time whatever the hashes are, and however many of them there are. */
export function matchesAny(secret: string, hashes: readonly (Buffer | null)[]): boolean {
  const given = hashSecret(secret);
  let matches = false;
  for (const hash of hashes) {
    const isSame = timingSafeEqual(given, hash ?? NOBODY);
    matches ||= isSame && hash !== null;
  }
  return matches;
}

const NOBODY = Buffer.alloc(32);
