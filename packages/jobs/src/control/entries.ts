/** The entries of the control bucket. */
import { keyConcurrency, rate, ratePeriod } from '../values/bounds.js';
import { flatJson } from '../values/flat-json.js';

/** Revokes one task, including all its further attempts. Key: `revoke.id.<task id>`. */
export const taskRevocationEntry = flatJson<{
  id: string;
  /** Of the task with this id that is meant; absent in what older versions have written: any. `_`: no tenant. */
  queue?: string | undefined;
  task?: string | undefined;
  tenant?: string | undefined;
  terminate: boolean;
}>({
  id: 'string',
  queue: 'string?',
  task: 'string?',
  tenant: 'string?',
  terminate: 'boolean',
});

/** Selects tasks; an absent field matches all. */
export interface TaskFilter {
  queue?: string | undefined;
  task?: string | undefined;
  tenant?: string | undefined;
}

/** Revokes every task that matches and was enqueued before the entry was written. Key: `revoke.all.<random>`. */
export const filterRevocationEntry = flatJson<TaskFilter & { terminate: boolean }>({
  queue: 'string?',
  task: 'string?',
  tenant: 'string?',
  terminate: 'boolean',
});

/** Revokes all tasks of a workflow. Key: `revoke.workflow.<id>`. */
export const workflowRevocationEntry = flatJson<{ workflow: string; terminate: boolean }>({
  workflow: 'string',
  terminate: 'boolean',
});

/** Key: `rate.<task>`. */
export interface RateLimit {
  task: string;
  /** Starts per `perMs` milliseconds, summed over all workers. */
  limit: number;
  perMs: number;
  /** Of a limit by key: whose line it is. Not stored. */
  line?: string | undefined;
}
const rateLimitEntry = flatJson<Omit<RateLimit, 'line'>>({
  task: 'string',
  limit: 'number above 0',
  perMs: 'number above 0',
});

/** A stored limit that a worker can keep; `undefined` for any other value. */
export function readRateLimit(value: unknown): RateLimit | undefined {
  const entry = rateLimitEntry.read(value);
  return entry && rate.includes(entry.limit) && ratePeriod.includes(entry.perMs) ? entry : undefined;
}

/**
 * What is set at run time for a limit by key that a contract declares; an absent field leaves the contract's, 0 lifts it.
 * Key: `limit.<task>.<limit>`.
 */
export interface KeyLimitSetting {
  task: string;
  name: string;
  /** Tasks of one key at once. */
  concurrency?: number | undefined;
  /** Starts of tasks of one key per `perMs` milliseconds. */
  limit?: number | undefined;
  perMs?: number | undefined;
}
const keyLimitSetting = flatJson<KeyLimitSetting>({
  task: 'string',
  name: 'string',
  concurrency: 'number?',
  limit: 'number?',
  perMs: 'number?',
});

/** A stored setting that a worker can keep; `undefined` for any other value. */
export function readKeyLimitSetting(value: unknown): KeyLimitSetting | undefined {
  const entry = keyLimitSetting.read(value);
  if (entry === undefined) return undefined;
  const { concurrency, limit, perMs } = entry;
  const isConcurrency =
    concurrency === undefined || concurrency === 0 || keyConcurrency.includes(concurrency);
  const isRate = !limit || (rate.includes(limit) && ratePeriod.includes(perMs));
  return isConcurrency && isRate ? entry : undefined;
}

/** The line in front of a limit, in the bucket of locks. Key: `_rate.<task>`, or `_rate.<task>.<limit>.<key>`. Times by the broker's clock, in milliseconds since 1970. */
export interface RateLineEntry {
  /** The limit that the turns were given for. */
  limit: number;
  perMs: number;
  /** The first turn that is free. */
  next: number;
  /** Tasks that found the line full. */
  beyond: number;
  /** The latest start that was allowed; a worker of an older version writes none. */
  started?: number | undefined;
}
export const rateLineEntry = flatJson<RateLineEntry>({
  limit: 'number above 0',
  perMs: 'number above 0',
  next: 'number above 0',
  beyond: 'integer',
  started: 'number?',
});

/** Key: `worker.<name>`. */
export interface HeartBeat {
  name: string;
  host: string;
  pid: number;
  queues: string[];
  /** `<task>:<fingerprint of its payload's schema>` of each task that it knows. A worker of an older version sends none. */
  contracts?: string[] | undefined;
  /** `draining` while it stops. */
  state: 'running' | 'draining';
  concurrency: number;
  /** Tasks that run; that wait for a free slot; that wait until they are due. */
  running: number;
  reserved: number;
  scheduled: number;
  /** Executions beyond their hard limit that cannot be stopped within this process. */
  abandoned: number;
  succeeded: number;
  failed: number;
  retried: number;
  /** Longest block of the event loop since the last heartbeat, in milliseconds. */
  loop_lag_ms: number;
  /** Of the program, or of this package; a worker of an older version says nothing of these three. */
  version?: string | undefined;
  /** Memory of the process (resident set), in bytes. */
  memory_bytes?: number | undefined;
  /** Share of one core that the process has used since the last heartbeat, in percent: 200 is two cores. */
  cpu_percent?: number | undefined;
  /** `early_tasks`: it leaves tasks alone that other workers have taken out of their order. A worker of an older version names none. */
  features?: string[] | undefined;
  started_at: string;
  /** RFC 3339. */
  at: string;
}
export const heartBeatEntry = flatJson<HeartBeat>({
  name: 'string',
  host: 'string',
  pid: 'integer',
  queues: 'strings',
  contracts: 'strings?',
  state: ['running', 'draining'],
  concurrency: 'integer',
  running: 'integer',
  reserved: 'integer',
  scheduled: 'integer',
  abandoned: 'integer',
  succeeded: 'integer',
  failed: 'integer',
  retried: 'integer',
  loop_lag_ms: 'number',
  version: 'string?',
  memory_bytes: 'number?',
  cpu_percent: 'number?',
  features: 'strings?',
  started_at: 'string',
  at: 'string',
});

/** A feature that heartbeats name. */
export const EARLY_TASKS = 'early_tasks';

export const HEART_BEAT_MS = 5_000;
/** A little more than two heartbeats. */
export const OFFLINE_AFTER_MS = 12_000;

export const controlKeys = {
  revokeTask: (id: string) => `revoke.id.${id}`,
  revokeAll: (id: string) => `revoke.all.${id}`,
  revokeWorkflow: (id: string) => `revoke.workflow.${id}`,
  rate: (task: string) => `rate.${task}`,
  keyLimit: (task: string, name: string) => `limit.${task}.${name}`,
  /** `<service>.<key as a token>` */
  circuit: (circuit: string) => `circuit.${circuit}`,
  worker: (name: string) => `worker.${name}`,
} as const;
