/** Failed attempts to sign in, counted by address: whoever guesses is slowed down. */
import { ProblemError } from '@stratum/shared/http';

const MINUTE_MS = 60_000;
const MAX_ADDRESSES = 10_000;

export class SignInLimit {
  private readonly failures = new Map<string, { count: number; since: number }>();

  /** @param perMinute failures that an address may have */
  constructor(private readonly perMinute: number) {}

  /** @throws ProblemError `rate-limited` */
  admit(address: string): void {
    const known = this.failures.get(address);
    if (known === undefined || Date.now() - known.since > MINUTE_MS || known.count < this.perMinute) return;
    throw new ProblemError('rate-limited', 'Too many attempts to sign in from this address. Wait a minute.', {
      retryAfter: Math.ceil((known.since + MINUTE_MS - Date.now()) / 1_000),
    });
  }

  failed(address: string): void {
    const known = this.failures.get(address);
    const goesOn = known !== undefined && Date.now() - known.since <= MINUTE_MS;
    this.failures.delete(address);
    this.failures.set(address, {
      count: goesOn ? known.count + 1 : 1,
      since: goesOn ? known.since : Date.now(),
    });
    const [oldest] = this.failures.keys();
    if (this.failures.size > MAX_ADDRESSES && oldest !== undefined) this.failures.delete(oldest);
  }
}
