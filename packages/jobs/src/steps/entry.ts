/** What is remembered of one step of a run: the value of a key in the bucket `task_steps`. */
import { z } from 'zod';
import { compareAttempts } from '../record/precedence.js';
import { taskRecordSchema } from '../wire/record.js';

/** The attempt that wrote it, and the delivery of that attempt. */
const writerSchema = z.object({
  enqueued_at: z.string(),
  retries: z.number(),
  snoozes: z.number(),
  delivery: z.number(),
  worker: z.string(),
});
export type StepWriter = z.infer<typeof writerSchema>;

/** Of a wait: which event it takes. */
const awaitedSchema = z.object({
  /** The key as a token. */
  key: z.string(),
  /** The place of the last event of this name and key that the run had received when it began to wait; 0: of none. */
  after: z.number(),
  /** RFC 3339: it takes events that were sent since then. */
  since: z.string(),
});

/** Of a call. */
const calledSchema = z.object({ id: z.string(), task: z.string(), queue: z.string() });
export type CalledTask = z.infer<typeof calledSchema>;

/** Times are RFC 3339 in UTC. */
export const stepEntrySchema = z.object({
  kind: z.enum(['step', 'sleep', 'event', 'task']),
  name: z.string(),
  state: z.enum(['started', 'done']),
  /** How often it was begun. */
  attempts: z.number(),
  started_at: z.string(),
  ended_at: z.string().optional(),
  /** Of a sleep: its end. Of the wait for an event: when it is given up. */
  until: z.string().optional(),
  awaited: awaitedSchema.optional(),
  /** The event that a wait has received, with its payload as the result. Absent although the wait is done: none came in time. */
  received: z.object({ id: z.string(), sent_at: z.string(), sequence: z.number() }).optional(),
  called: calledSchema.optional(),
  /** The record of the task that was called and has not succeeded. */
  failure: taskRecordSchema.optional(),
  /** Absent: it returned nothing. */
  result: z.unknown().optional(),
  /** Its result was removed because it held data of somebody who asked for that. */
  erased: z.boolean().optional(),
  by: writerSchema,
});
export type StepEntry = z.infer<typeof stepEntrySchema>;
export type StepKind = StepEntry['kind'];

/** Positive when `a` is the later attempt, or the later delivery of the same one. */
export function compareWriters(a: StepWriter, b: StepWriter): number {
  return compareAttempts(a, b) || a.delivery - b.delivery;
}
