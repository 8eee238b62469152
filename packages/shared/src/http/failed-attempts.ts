/**
 * Wrong and missing keys, counted by the address that they come from: an address that sends too many is answered without a look at the
 * database. A key that has worked lately is not concerned, so that one program behind a shared address does not lock out the others.
 */
import { hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { Allowances, remember } from './allowances.js';
import { clientOf } from './client-address.js';
import { ProblemError } from './problem.js';

/** How long a key that worked stays exempt from its address's limit, in milliseconds. */
const TRUSTED_MS = 3_600_000;

export class FailedAttempts {
  private readonly allowances: Allowances;
  /** When a key last worked, by its hash. */
  private readonly trusted = new Map<string, number>();

  /** @param perMinute failures that an address may have, and as many at once */
  constructor(
    perMinute: number,
    private readonly now: () => number = Date.now,
  ) {
    this.allowances = new Allowances(perMinute, now);
  }

  /** Before a key is looked up. @throws ProblemError `rate-limited` when too many of the address have failed */
  admit(request: FastifyRequest, key: string | undefined): void {
    const client = clientOf(request.ip);
    if (this.allowances.left(client) >= 1 || (key !== undefined && this.isTrusted(hashOf(key)))) return;
    throw new ProblemError(
      'rate-limited',
      'Too many requests from this address had no valid key. Check the key, then try again after the Retry-After time.',
      { retryAfter: this.allowances.secondsUntil(client, 1) },
    );
  }

  succeeded(key: string): void {
    remember(this.trusted, hashOf(key), this.now());
  }

  failed(request: FastifyRequest, key: string | undefined): void {
    if (key !== undefined) this.trusted.delete(hashOf(key));
    const before = this.allowances.take(clientOf(request.ip), 1);
    if (before >= 1 && before < 2)
      request.log.warn({ address: request.ip }, 'address blocked temporarily: too many invalid keys');
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
