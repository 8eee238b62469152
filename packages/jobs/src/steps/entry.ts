/** What is remembered of one step of a run: the value of a key in the bucket `task_steps`. */
import { z } from 'zod';
import { compareAttempts } from '../record/precedence.js';

/** The attempt that wrote it, and the delivery of that attempt. */
const writerSchema = z.object({
  enqueued_at: z.string(),
  retries: z.number(),
  snoozes: z.number(),
  delivery: z.number(),
  worker: z.string(),
});
export type StepWriter = z.infer<typeof writerSchema>;

/** Times are RFC 3339 in UTC. */
export const stepEntrySchema = z.object({
  kind: z.enum(['step', 'sleep']),
  name: z.string(),
  state: z.enum(['started', 'done']),
  /** How often it was begun. */
  attempts: z.number(),
  started_at: z.string(),
  ended_at: z.string().optional(),
  /** Of a sleep: its end. */
  until: z.string().optional(),
  /** Absent: it returned nothing. */
  result: z.unknown().optional(),
  /** Its result was removed because it held data of somebody who asked for that. */
  erased: z.boolean().optional(),
  by: writerSchema,
});
export type StepEntry = z.infer<typeof stepEntrySchema>;

/** Positive when `a` is the later attempt, or the later delivery of the same one. */
export function compareWriters(a: StepWriter, b: StepWriter): number {
  return compareAttempts(a, b) || a.delivery - b.delivery;
}
