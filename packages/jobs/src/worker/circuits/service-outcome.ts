/** What an attempt's end says of the service that it called. */
import type { Delivery } from '../delivery.js';
import type { Outcome } from '../outcome.js';
import { lookMs } from '../look.js';

/** The error of an attempt that failed; `undefined` for any other end, and for one that its worker made. */
export function failureOf(outcome: Outcome): { error: unknown } | undefined {
  switch (outcome.kind) {
    case 'retry':
      return { error: outcome.error };
    case 'dead':
      return outcome.reason === 'max_retries' || outcome.reason === 'not_retryable'
        ? { error: outcome.error }
        : undefined;
    case 'snoozed':
      return outcome.outage && { error: outcome.outage.error };
    default:
      return undefined;
  }
}

/**
 * The wait of an attempt that found its service away, in place of a retry. `undefined`: a retry could not help, or it has waited for too long,
 * and its failures count again.
 */
export function waitsAtCircuit(
  outcome: Outcome,
  delivery: Delivery,
  {
    error,
    line,
    now,
    unreachableForMs,
  }: { error: unknown; line: string; now: number; unreachableForMs: number },
): Outcome | undefined {
  if (outcome.kind === 'dead' && outcome.reason === 'not_retryable') return undefined;
  const since = delivery.headers.unreachableSince ?? now;
  if (now - since >= unreachableForMs) return undefined;
  return {
    kind: 'snoozed',
    delayMs: lookMs(delivery, now),
    hold: { keyWait: line },
    outage: { since, error },
  };
}
