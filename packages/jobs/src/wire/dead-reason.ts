/** Reasons of dead letters, as in the header `Dead-Reason`. */
export const DEAD_REASONS = [
  'max_retries',
  'not_retryable',
  'invalid_payload',
  'unknown_task',
  'worker_lost',
  'time_limit',
] as const;
export type DeadReason = (typeof DEAD_REASONS)[number];
