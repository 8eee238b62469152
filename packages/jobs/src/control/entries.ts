/** The entries of the control bucket. */
import { z } from 'zod';

/** Revokes one task, including all its further attempts. Key: `revoke.id.<task id>`. */
export const taskRevocationSchema = z.object({ id: z.string(), terminate: z.boolean() });

export const taskFilterSchema = z.object({
  queue: z.string().optional(),
  task: z.string().optional(),
  tenant: z.string().optional(),
});
/** Selects tasks; an absent field matches all. */
export type TaskFilter = z.infer<typeof taskFilterSchema>;

/** Revokes every task that matches and was enqueued before the entry was written. Key: `revoke.all.<random>`. */
export const filterRevocationSchema = taskFilterSchema.extend({ terminate: z.boolean() });

/** Revokes all tasks of a workflow. Key: `revoke.workflow.<id>`. */
export const workflowRevocationSchema = z.object({ workflow: z.string(), terminate: z.boolean() });

export const rateLimitSchema = z.object({
  task: z.string(),
  /** Starts per `perMs` milliseconds, summed over all workers. */
  limit: z.number().positive(),
  perMs: z.number().positive(),
});
/** Key: `rate.<task>`. */
export type RateLimit = z.infer<typeof rateLimitSchema>;

export const heartBeatSchema = z.object({
  name: z.string(),
  host: z.string(),
  pid: z.int(),
  queues: z.array(z.string()),
  /** `draining` while it stops. */
  state: z.enum(['running', 'draining']),
  concurrency: z.int(),
  /** Tasks that run; that wait for a free slot; that wait until they are due. */
  running: z.int(),
  reserved: z.int(),
  scheduled: z.int(),
  /** Executions beyond their hard limit that cannot be stopped within this process. */
  abandoned: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  retried: z.int(),
  /** Longest block of the event loop since the last heartbeat, in milliseconds. */
  loop_lag_ms: z.number(),
  started_at: z.string(),
  /** RFC 3339. */
  at: z.string(),
});
/** Key: `worker.<name>`. */
export type HeartBeat = z.infer<typeof heartBeatSchema>;

export const HEART_BEAT_MS = 5_000;
/** A little more than two heartbeats. */
export const OFFLINE_AFTER_MS = 12_000;

export const controlKeys = {
  revokeTask: (id: string) => `revoke.id.${id}`,
  revokeAll: (id: string) => `revoke.all.${id}`,
  revokeWorkflow: (id: string) => `revoke.workflow.${id}`,
  rate: (task: string) => `rate.${task}`,
  worker: (name: string) => `worker.${name}`,
} as const;
