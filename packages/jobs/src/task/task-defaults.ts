/** Defaults for tasks whose contracts leave a setting open. */
import type { Backoff } from './retry-policy.js';

export interface TaskDefaults {
  /** Retries after the first attempt. Default 3. */
  maxRetries: number;
  /** Default: fixed, 60 s. */
  backoff: Backoff;
  /** How long a dependency may be unreachable before retries are spent, in milliseconds. Default 86,400,000: 24 hours. */
  unreachableForMs: number;
  /** In milliseconds. Default 540,000. */
  softTimeLimitMs: number;
  /** In milliseconds. Default 600,000. */
  timeLimitMs: number;
}

export const TASK_DEFAULTS: Readonly<TaskDefaults> = Object.freeze<TaskDefaults>({
  maxRetries: 3,
  backoff: { kind: 'fixed', delayMs: 60_000 },
  unreachableForMs: 86_400_000,
  softTimeLimitMs: 540_000,
  timeLimitMs: 600_000,
});
