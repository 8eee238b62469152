/** How an attempt ended. Execution returns one of these; only `settle` acts on it. */

/** Why a task went to the dead letters, as in the header `Dead-Reason`. */
export type DeadReason =
  'max_retries' | 'not_retryable' | 'invalid_payload' | 'unknown_task' | 'worker_lost' | 'time_limit';

export type Outcome =
  | { kind: 'succeeded'; result: unknown }
  | { kind: 'retry'; error: unknown; delayMs: number }
  | { kind: 'dead'; reason: DeadReason; error: unknown }
  | { kind: 'expired' }
  /** Ended in an earlier delivery whose acknowledgement was lost. */
  | { kind: 'already_settled' }
  /** The worker stops: another one runs it. */
  | { kind: 'handed_back' };
