/** The record of a task in the results bucket. */
import { z } from 'zod';
import { PRIORITIES } from './names.js';

export const TASK_STATES = [
  'PENDING',
  'SCHEDULED',
  'STARTED',
  'RETRY',
  'SUCCESS',
  'FAILURE',
  'REVOKED',
  'EXPIRED',
] as const;
export type TaskState = (typeof TASK_STATES)[number];

const FINAL_STATES: ReadonlySet<TaskState> = new Set(['SUCCESS', 'FAILURE', 'REVOKED', 'EXPIRED']);

/** A final state never changes again. */
export function isFinal(state: TaskState): boolean {
  return FINAL_STATES.has(state);
}

export const taskErrorRecordSchema = z.object({
  type: z.string(),
  message: z.string(),
  stack: z.string().nullable(),
  retryable: z.boolean(),
});
export type TaskErrorRecord = z.infer<typeof taskErrorRecordSchema>;

const taskProgressSchema = z.object({
  done: z.number(),
  total: z.number(),
  note: z.string().nullable(),
});
export type TaskProgress = z.infer<typeof taskProgressSchema>;

/** What a run waits for in its durable steps; of several, what is over first. */
const waitsForSchema = z.object({
  kind: z.enum(['event', 'task']),
  /** Of the event, or of the task that it has called. */
  name: z.string(),
  /** Of that task. */
  id: z.string().nullable(),
  /** RFC 3339: then the wait for an event is over. */
  until: z.string().nullable(),
  /** What it waits for beside this one. */
  others: z.number(),
});
export type WaitsFor = z.infer<typeof waitsForSchema>;

/** Times are RFC 3339 in UTC; `runtime_ms` is the last attempt's. */
export const taskRecordSchema = z.object({
  id: z.string(),
  task: z.string(),
  queue: z.string(),
  tenant: z.string().nullable(),
  priority: z.enum(PRIORITIES),
  state: z.enum(TASK_STATES),
  retries: z.number(),
  /** How often the task has asked to wait; absent: never. */
  snoozes: z.number().optional(),
  /** How often the message of this attempt was handed to a worker; absent: once, if it was started. */
  deliveries: z.number().optional(),
  /** How many of those deliveries a worker handed back, as when it stops; the others but the last lost their worker. Absent: none. */
  hand_backs: z.number().optional(),
  worker: z.string().nullable(),
  result: z.unknown(),
  /** Cut, with sensitive fields masked; absent unless the contract keeps it. */
  payload: z.unknown().optional(),
  error: taskErrorRecordSchema.nullable(),
  progress: taskProgressSchema.nullable(),
  enqueued_at: z.string().nullable(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  runtime_ms: z.number().nullable(),
  /** Absent unless it waits in a durable step for an event, or for a task that it has called. */
  waits_for: waitsForSchema.optional(),
  parent_id: z.string().nullable(),
  root_id: z.string(),
});
export type TaskRecord = z.infer<typeof taskRecordSchema>;
