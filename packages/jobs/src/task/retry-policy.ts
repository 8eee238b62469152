/** When a failed attempt is retried, and after which delay. */
import { fieldOf } from '../values/any-value.js';
import { count, duration } from '../values/bounds.js';

export interface FixedBackoff {
  kind: 'fixed';
  /** Wait before every retry, in milliseconds. */
  delayMs: number;
}

export interface ExponentialBackoff {
  kind: 'exponential';
  /** Wait before the first retry, in milliseconds; doubled for each further one. */
  initialMs: number;
  /** Longest wait, in milliseconds. */
  maxMs: number;
  /**
   * `full` draws the wait uniformly between zero and the computed one, which spreads many simultaneous failures best
   * (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). Default `full`.
   */
  jitter?: 'full' | 'none';
}

export type Backoff = FixedBackoff | ExponentialBackoff;

export interface RetryOptions {
  /** Retries after the first attempt. Default: the worker's, 3. */
  maxRetries?: number;
  /** Default: the worker's, 60 s fixed. */
  backoff?: Backoff;
  /** Retry only errors for which this holds. Default: every error. */
  retryOn?: (error: unknown) => boolean;
  /** Never retry errors for which this holds; wins over `retryOn`. Default: none. */
  neverOn?: (error: unknown) => boolean;
  /**
   * An attempt that fails because a dependency cannot be reached waits without spending a retry, for at most this long since the first of them,
   * in milliseconds; after that each failure is a retry. 0: such failures are the task's own. Default: the worker's, 24 hours.
   */
  unreachableForMs?: number;
}

export interface RetryPolicy {
  /** `undefined` if the contract leaves it to the worker. */
  readonly maxRetries: number | undefined;
  readonly backoff: Readonly<Backoff> | undefined;
  readonly retryOn: (error: unknown) => boolean;
  readonly neverOn: (error: unknown) => boolean;
  /** `undefined` if the contract leaves it to the worker. */
  readonly unreachableForMs: number | undefined;
}

/** @throws JobsError `invalid_options` that names the number and its bounds */
export function resolveRetryPolicy(task: string, given: RetryOptions | 'never' = {}): RetryPolicy {
  const options: RetryOptions = given === 'never' ? { maxRetries: 0 } : given;
  const { maxRetries, backoff, unreachableForMs } = options;
  count.optional(`Task "${task}": retry.maxRetries`, maxRetries);
  if (backoff !== undefined) requireBackoff(`Task "${task}": retry.backoff`, backoff);
  return Object.freeze({
    maxRetries,
    backoff: backoff === undefined ? undefined : Object.freeze({ ...backoff }),
    retryOn: options.retryOn ?? (() => true),
    neverOn: options.neverOn ?? (() => false),
    unreachableForMs: duration.optional(`Task "${task}": retry.unreachableForMs`, unreachableForMs),
  });
}

/**
 * The wait before retry number `retry` (1 is the first), in milliseconds.
 * @param random a number from [0, 1), by default `Math.random()`
 */
export function backoffDelayMs(backoff: Backoff, retry: number, random: () => number = Math.random): number {
  if (backoff.kind === 'fixed') return backoff.delayMs;
  // The exponent is bounded so that a thousandth retry does not overflow to infinity before `min`.
  const ceiling = Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(retry - 1, 52));
  return backoff.jitter === 'none' ? ceiling : Math.floor(random() * (ceiling + 1));
}

/** Retry advice of an error: any object may carry these two properties. */
export interface RetryAdvice {
  retryable: boolean | undefined;
  retryAfterMs: number | undefined;
}

/**
 * Reads the advice by structure, so that it works for another copy of a class and for plain objects. A wait that no broker can keep counts as
 * absent.
 */
export function retryAdvice(error: unknown): RetryAdvice {
  const retryable = fieldOf(error, 'retryable');
  const after = fieldOf(error, 'retryAfterMs');
  return {
    retryable: typeof retryable === 'boolean' ? retryable : undefined,
    retryAfterMs: duration.includes(after) ? after : undefined,
  };
}

/**
 * Whether the policy allows a retry of this error, regardless of the retries left. A predicate that throws says nothing: the task is
 * retried as it is without one, because the error was none that the predicate's author thought of.
 * @param onBroken receives what a predicate throws
 */
export async function isRetryable(
  policy: RetryPolicy,
  error: unknown,
  onBroken: (cause: unknown) => void = () => undefined,
): Promise<boolean> {
  const { retryable } = retryAdvice(error);
  if (retryable !== undefined) return retryable;
  const ask = async (predicate: (error: unknown) => unknown, otherwise: boolean): Promise<boolean> => {
    try {
      return Boolean(await predicate(error));
    } catch (cause) {
      onBroken(cause);
      return otherwise;
    }
  };
  return !(await ask(policy.neverOn, false)) && ask(policy.retryOn, true);
}

/** @throws JobsError `invalid_options` that names the wait and its bounds */
export function requireBackoff(field: string, backoff: Backoff): void {
  if (backoff.kind === 'fixed') {
    duration.require(`${field}.delayMs`, backoff.delayMs);
  } else {
    duration.require(`${field}.initialMs`, backoff.initialMs);
    duration.require(`${field}.maxMs`, backoff.maxMs);
  }
}
