import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffDelayMs, isRetryable, resolveRetryPolicy, retryAdvice } from './retry-policy.js';

const exponential = fc.record({
  kind: fc.constant('exponential' as const),
  initialMs: fc.integer({ min: 0, max: 100_000 }),
  maxMs: fc.integer({ min: 0, max: 1_000_000 }),
});

describe('the wait before a retry', () => {
  test('is the same each time when fixed', () => {
    const waits = [1, 2, 30].map((retry) => backoffDelayMs({ kind: 'fixed', delayMs: 60_000 }, retry));
    expect(waits).toEqual([60_000, 60_000, 60_000]);
  });

  test('doubles up to the maximum without jitter', () => {
    const backoff = { kind: 'exponential', initialMs: 100, maxMs: 1_000, jitter: 'none' } as const;
    expect([1, 2, 3, 4, 5].map((retry) => backoffDelayMs(backoff, retry))).toEqual([
      100, 200, 400, 800, 1_000,
    ]);
  });

  test('with full jitter lies anywhere from nothing to the ceiling, for every retry', () => {
    fc.assert(
      fc.property(
        exponential,
        fc.integer({ min: 1, max: 5_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (backoff, retry, chance) => {
          const wait = backoffDelayMs(backoff, retry, () => chance);
          const ceiling = Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(retry - 1, 100));
          expect(Number.isInteger(wait)).toBe(true);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(ceiling);
        },
      ),
    );
  });

  test('reaches both ends of the range', () => {
    const backoff = { kind: 'exponential', initialMs: 1_000, maxMs: 600_000 } as const;
    expect(backoffDelayMs(backoff, 1, () => 0)).toBe(0);
    expect(backoffDelayMs(backoff, 1, () => 1 - Number.EPSILON)).toBe(1_000);
  });
});

describe('whether an error is retried', () => {
  const timeouts = (error: unknown): boolean => error instanceof Error && error.message.includes('timeout');

  test('every error, unless the policy excludes it', async () => {
    expect(await isRetryable(resolveRetryPolicy('t'), new Error('x'))).toBe(true);
    expect(await isRetryable(resolveRetryPolicy('t', { retryOn: timeouts }), new Error('x'))).toBe(false);
    expect(await isRetryable(resolveRetryPolicy('t', { retryOn: timeouts }), new Error('timeout'))).toBe(
      true,
    );
  });

  test('neverOn wins over retryOn', async () => {
    const policy = resolveRetryPolicy('t', { retryOn: timeouts, neverOn: timeouts });
    expect(await isRetryable(policy, new Error('timeout'))).toBe(false);
  });

  test('the error’s own advice takes precedence over both', async () => {
    const policy = resolveRetryPolicy('t', { neverOn: timeouts });
    expect(await isRetryable(policy, Object.assign(new Error('timeout'), { retryable: true }))).toBe(true);
    expect(await isRetryable(policy, Object.assign(new Error('x'), { retryable: false }))).toBe(false);
  });

  test('advice is read from anything, and nonsense is ignored', () => {
    expect(retryAdvice({ retryable: 'yes', retryAfterMs: -1 })).toEqual({
      retryable: undefined,
      retryAfterMs: undefined,
    });
    expect(retryAdvice({ retryAfterMs: 1_500 }).retryAfterMs).toBe(1_500);
    fc.assert(fc.property(fc.anything(), (value) => void retryAdvice(value)));
  });
});

test.each([
  [{ maxRetries: -1 }, /maxRetries is -1/],
  [{ maxRetries: 1.5 }, /maxRetries is 1.5/],
  [{ backoff: { kind: 'fixed', delayMs: Number.NaN } as const }, /retry.backoff/],
  [{ backoff: { kind: 'exponential', initialMs: -5, maxMs: 10 } as const }, /retry.backoff/],
])('the policy %j is refused', (options, message) => {
  expect(() => resolveRetryPolicy('sync', options)).toThrow(message);
});
