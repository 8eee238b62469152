/** A state change of a task, as `<prefix>.events.<queue>.<task>.<state>` reports it. */
import { z } from 'zod';
import { taskRecordSchema, type TaskState } from './record.js';

/**
 * What has happened. `QUEUED`: the task waits for a worker again; `SCHEDULED`: until it is due; `SKIPPED`: another message of a task
 * that had succeeded was not run. The others are the state that the task now has.
 */
export const EVENT_STATES = [
  'QUEUED',
  'SCHEDULED',
  'STARTED',
  'RETRY',
  'SUCCESS',
  'FAILURE',
  'REVOKED',
  'EXPIRED',
  'SKIPPED',
] as const;
export type EventState = (typeof EVENT_STATES)[number];

export function eventStateOf(state: TaskState): EventState {
  return state === 'PENDING' ? 'QUEUED' : state;
}

/** A durable step, as far as the attempt came. Times are RFC 3339 in UTC. */
const reportedStepSchema = z.object({
  /** Counted from 0; within branches of `all` as `<place of all>-<branch>-<place in the branch>`. */
  position: z.string(),
  /** `sleep` of a sleep; of the event, or of the task that was called. */
  name: z.string(),
  /** Absent: `step`, or `sleep` by that name. */
  kind: z.enum(['step', 'sleep', 'event', 'task']).optional(),
  /** Of the task that was called. */
  task_id: z.string().optional(),
  /** `waiting`: a sleep or wait that is not over. `failed`: it has begun and not ended; a retry begins it again. */
  state: z.enum(['done', 'failed', 'waiting']),
  /** How often it was begun. */
  attempts: z.number(),
  started_at: z.string(),
  ended_at: z.string().optional(),
  /** Of a sleep: its end; of the wait for an event: when it is given up. */
  until: z.string().optional(),
});
export type ReportedStep = z.infer<typeof reportedStepSchema>;

export const reportedStepsSchema = z.object({
  /** Of the run so far. */
  total: z.number(),
  /** The 50 that began last, in the order of their beginning. */
  newest: z.array(reportedStepSchema),
});
export type ReportedSteps = z.infer<typeof reportedStepsSchema>;

/** The record without its result, and the facts that a history needs. Versions before 0.2 wrote none of the optional fields. */
export const taskEventSchema = taskRecordSchema
  .omit({ result: true, payload: true, waits_for: true })
  .extend({
    /** Those versions wrote `PENDING` for `QUEUED`. */
    state: z
      .unknown()
      .transform((state) => (state === 'PENDING' ? 'QUEUED' : state))
      .pipe(z.enum(EVENT_STATES)),
    /** RFC 3339: when it happened. */
    at: z.string(),
    /** Unique, and the same however often the event is sent: its `Nats-Msg-Id`. */
    event_id: z.string().optional(),
    /** Number of the attempt, 1 the first. */
    attempt: z.number().optional(),
    /** Number of the delivery of the attempt's message, 1 the first; absent: no worker has had it. */
    delivery: z.number().optional(),
    /** RFC 3339: when the attempt could start. From there to `started_at` it waited for a worker. */
    ready_at: z.string().optional(),
    /** The schedule entry and its tick. */
    scheduled_by: z.object({ entry: z.string(), tick: z.string() }).optional(),
    /** The workflow and the number of its step. */
    workflow: z.object({ id: z.string(), step: z.number() }).optional(),
    trace_id: z.string().optional(),
    worker_version: z.string().optional(),
    /** As the task's contract names them. */
    labels: z.record(z.string(), z.string()).optional(),
    /** Once the attempt is over: the durable steps of the run. */
    steps: reportedStepsSchema.optional(),
  });
export type TaskEvent = z.infer<typeof taskEventSchema>;
