/**
 * Wrong and missing keys, counted by the address that they come from: an address that sends too many is answered without a look at the
 * database. A key that has worked lately is not concerned, so that one program behind a shared address does not lock out the others.
 */
import { hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { clientOf } from './client-address.js';
import { ProblemError } from './problem.js';

/** Addresses, and keys, remembered; the longest unseen are forgotten first. */
const MAX_REMEMBERED = 10_000;
/** How long a key that worked stays exempt from its address's limit, in milliseconds. */
const TRUSTED_MS = 3_600_000;
const MINUTE_MS = 60_000;

interface Allowance {
  left: number;
  at: number;
}

export class FailedAttempts {
  /** The longest unseen first: a map keeps the order of insertion. */
  private readonly allowances = new Map<string, Allowance>();
  /** When a key last worked, by its hash. */
  private readonly trusted = new Map<string, number>();

  /** @param perMinute failures that an address may have, and as many at once */
  constructor(
    private readonly perMinute: number,
    private readonly now: () => number = Date.now,
  ) {}

  /** Before a key is looked up. @throws ProblemError `rate-limited` when too many of the address have failed */
  admit(request: FastifyRequest, key: string | undefined): void {
    const allowance = this.allowances.get(clientOf(request.ip));
    const left = allowance === undefined ? this.perMinute : this.refill(allowance);
    if (left >= 1 || (key !== undefined && this.isTrusted(hashOf(key)))) return;
    throw new ProblemError(
      'rate-limited',
      'Too many requests from this address had no valid key. Check the key, then try again after the Retry-After time.',
      { retryAfter: Math.ceil(((1 - left) * MINUTE_MS) / this.perMinute / 1_000) },
    );
  }

  succeeded(key: string): void {
    remember(this.trusted, hashOf(key), this.now());
  }

  failed(request: FastifyRequest, key: string | undefined): void {
    if (key !== undefined) this.trusted.delete(hashOf(key));
    const client = clientOf(request.ip);
    const allowance = this.allowances.get(client) ?? { left: this.perMinute, at: this.now() };
    const before = this.refill(allowance);
    allowance.left = Math.max(0, before - 1);
    remember(this.allowances, client, allowance);
    if (before >= 1 && allowance.left < 1)
      request.log.warn({ address: request.ip }, 'address blocked temporarily: too many invalid keys');
  }

  /** The attempts left now. */
  private refill(allowance: Allowance): number {
    const now = this.now();
    const earned = (Math.max(0, now - allowance.at) * this.perMinute) / MINUTE_MS;
    allowance.left = Math.min(this.perMinute, allowance.left + earned);
    allowance.at = now;
    return allowance.left;
  }

  private isTrusted(keyHash: string): boolean {
    const at = this.trusted.get(keyHash);
    return at !== undefined && this.now() - at < TRUSTED_MS;
  }
}

/** The key itself is not kept. */
function hashOf(key: string): string {
  return hash('sha256', key, 'base64url');
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_REMEMBERED && oldest !== undefined) map.delete(oldest);
}
