/** Parts that signatures are checked with. Everything is compared in constant time, and as text: of two texts for the same bytes only one is right. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Verdict, WebhookRequest } from './source.js';

export type Algorithm = 'sha1' | 'sha256' | 'sha512';
export type Encoding = 'hex' | 'base64';

/** More signatures than this in one header are not looked at. */
const MAX_SIGNATURES = 10;
const DEFAULT_TOLERANCE_SECONDS = 300;
const NEW_SECRET_BYTES = 32;

/** The header's one value; `undefined` when it is missing, empty or there twice. */
export function headerOf({ headers }: Pick<WebhookRequest, 'headers'>, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function hmac(
  algorithm: Algorithm,
  encoding: Encoding,
  secret: string | Buffer,
  parts: readonly (string | Buffer)[],
): string {
  const digest = createHmac(algorithm, secret);
  for (const part of parts) digest.update(part);
  return digest.digest(encoding);
}

/** Takes the same time wherever they differ. */
export function sameText(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Whether one of the signatures fits one of the secrets. All are tried, so the time reveals nothing. */
export function anyFits(
  signatures: readonly string[],
  secrets: readonly string[],
  sign: (secret: string) => string,
): boolean {
  let fits = false;
  for (const secret of secrets) {
    const expected = sign(secret);
    for (const signature of signatures.slice(0, MAX_SIGNATURES)) {
      const isSame = sameText(signature, expected);
      fits ||= isSame;
    }
  }
  return fits;
}

export function missing(header: string): Verdict {
  return { refused: `The header ${header} is missing.` };
}

export const WRONG_SIGNATURE: Verdict = Object.freeze({
  refused:
    'The signature does not match: it was made with another secret, or the body was changed in transit.',
});

/**
 * Whether the time that was signed is near enough, before or after.
 * @param text whole seconds since 1970, or milliseconds
 */
export function checkTime(
  text: string,
  now: Date,
  {
    unit = 'seconds',
    toleranceSeconds = DEFAULT_TOLERANCE_SECONDS,
  }: { unit?: 'seconds' | 'milliseconds'; toleranceSeconds?: number } = {},
): Verdict {
  if (!/^\d{1,16}$/.test(text)) return { refused: `The timestamp is not a number of ${unit} since 1970.` };
  const sentAtMs = Number(text) * (unit === 'seconds' ? 1000 : 1);
  if (Math.abs(now.getTime() - sentAtMs) <= toleranceSeconds * 1000) return 'valid';
  return { refused: `The timestamp differs from the current time by more than ${toleranceSeconds} seconds.` };
}

/** `k=v,k=v`, as Stripe and TikTok write it. */
export function readPairs(header: string): Map<string, string[]> {
  const pairs = new Map<string, string[]>();
  for (const part of header.split(',')) {
    const at = part.indexOf('=');
    const name = part.slice(0, at);
    if (at > 0) pairs.set(name, [...(pairs.get(name) ?? []), part.slice(at + 1)]);
  }
  return pairs;
}

/** For keys of what has no id of its own. */
export function digestOf(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('base64url');
}

export function newHexSecret(): string {
  return randomBytes(NEW_SECRET_BYTES).toString('hex');
}
