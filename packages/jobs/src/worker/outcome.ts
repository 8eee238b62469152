/** How an attempt ended. Execution returns one of these; only `settle` acts on it. */

import type { TaskRecord, WaitsFor } from '../wire/record.js';
import type { DeadReason } from '../wire/dead-reason.js';

/** A dependency cannot be reached. */
export interface Outage {
  /** When an attempt of the task first found it so, in milliseconds since 1970. */
  since: number;
  error: unknown;
}

/** What the task has been put off for: a limit, or what its steps wait for. */
export interface Hold {
  waitsFor?: WaitsFor | undefined;
  /** Its turn at its rate limit. */
  rateTurn?: string | undefined;
  /** The gate of a key, or the circuit, that it waits at. */
  keyWait?: string | undefined;
  /** Since when attempts have found its service away, in milliseconds since 1970. */
  unreachableSince?: number | undefined;
}

export type Outcome =
  | { kind: 'succeeded'; result: unknown }
  | { kind: 'retry'; error: unknown; delayMs: number }
  | { kind: 'dead'; reason: DeadReason; error: unknown }
  | { kind: 'expired' }
  | { kind: 'revoked' }
  /** Waits without spending a retry: its handler snoozed it, or a dependency cannot be reached. */
  | { kind: 'snoozed'; delayMs: number; hold?: Hold; outage?: Outage }
  /** Another version of the worker may know the task, or its payload. `waitedMs` includes this wait. */
  | { kind: 'unknown'; error: unknown; delayMs: number; waitedMs: number }
  /** Ended in an earlier delivery whose acknowledgement was lost (with the record `end`), or (`duplicate`) as another message of the same id. */
  | { kind: 'already_settled'; duplicate: boolean; end?: TaskRecord | undefined }
  /** Its dead letter exists, but its record was not written. */
  | { kind: 'already_dead_lettered'; error: string }
  /** The worker stops; another one runs it. */
  | { kind: 'handed_back' }
  /** Another worker may have it by now: it has waited here while the event loop was blocked. */
  | { kind: 'left_alone' };
