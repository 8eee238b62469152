/** Paces the starts of limited tasks. Each worker takes an equal share of a limit that holds for all of them. */
import type { RateLimit } from '../control/entries.js';

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** A token bucket per task, holding at most one second's worth of starts. */
export class RateLimiter {
  private readonly buckets = new Map<string, Bucket>();

  /** Takes a start and returns 0, or returns how long to wait before asking again, in milliseconds. */
  take(task: string, { limit, perMs }: RateLimit, workers: number, now: number = Date.now()): number {
    const perMillisecond = limit / perMs / workers;
    const capacity = Math.max(1, perMillisecond * 1000);
    const bucket = this.buckets.get(task) ?? { tokens: 1, filledAt: now };
    this.buckets.set(task, bucket);
    bucket.tokens = Math.min(capacity, bucket.tokens + (now - bucket.filledAt) * perMillisecond);
    bucket.filledAt = now;
    if (bucket.tokens >= 1) {
      bucket.tokens--;
      return 0;
    }
    return Math.ceil((1 - bucket.tokens) / perMillisecond);
  }
}
