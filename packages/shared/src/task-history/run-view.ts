/** A run as the API shows it. */
import { PRIORITIES } from '@stratum/jobs';
import { z } from 'zod';
import { attemptsSchema, priorityOfCode, stateOfCode, stateSchema } from './rows.js';
import type { Names } from './names.js';

const text = z.string().nullable();
const time = z
  .date()
  .nullable()
  .transform((at) => at?.toISOString() ?? null);
const count = z
  .union([z.string(), z.number()])
  .nullable()
  .transform((n) => (n === null ? null : Number(n)));

/** Columns of both tables, as the driver returns them. */
const runRow = z.object({
  id: z.string(),
  enqueued_at: z.date().transform((at) => at.toISOString()),
  tenant_id: z.string(),
  task: z.number(),
  priority: priorityOfCode,
  state: stateOfCode,
  retries: z.number(),
  worker: z.number().nullable(),
  ready_at: time,
  started_at: time,
  finished_at: time.optional(),
  changed_at: time.optional(),
  wait_ms: count.optional(),
  runtime_ms: count.optional(),
  worker_version: text.optional(),
  error_group: text,
  error_type: text,
  error_message: text,
  attempts_made: z.number().optional(),
  attempts: attemptsSchema.nullable(),
  labels: z.record(z.string(), z.string()).nullable(),
  root_id: text,
  parent_id: text,
  workflow_id: text,
  node: z.number().nullable(),
  schedule: text,
  tick: time,
  trace_id: text,
});

const shownText = z.string().nullable();
const shownTime = z.iso.datetime().nullable();
export const runViewSchema = z
  .object({
    id: z.string(),
    task: z.string(),
    queue: z.string(),
    tenant_id: z.string().describe('0: the platform itself.'),
    priority: z.enum(PRIORITIES),
    state: stateSchema,
    retries: z.number(),
    worker: shownText,
    worker_version: shownText,
    enqueued_at: z.iso.datetime(),
    ready_at: shownTime.describe('When the newest attempt could start.'),
    started_at: shownTime,
    finished_at: shownTime,
    changed_at: shownTime,
    wait_ms: z.number().nullable(),
    runtime_ms: z.number().nullable(),
    error_group: shownText.describe('Runs that failed for the same reason have the same.'),
    error_type: shownText,
    error_message: shownText,
    attempts_made: z.number(),
    attempts: attemptsSchema.nullable().describe('`null`: one at most, and the run says all of it.'),
    labels: z.record(z.string(), z.string()).nullable(),
    root_id: shownText.describe('The task that began it all; `null`: this one.'),
    parent_id: shownText.describe('The task that enqueued it.'),
    workflow_id: shownText,
    node: z.number().nullable().describe('The number of its step in the workflow.'),
    schedule: shownText.describe('The schedule entry that started it.'),
    tick: shownTime.describe('When it was due by that entry.'),
    trace_id: shownText,
  })
  .meta({ id: 'Run' });
export type RunView = z.output<typeof runViewSchema>;

export function toRunView(row: unknown, names: Names): RunView {
  const run = runRow.parse(row);
  const { queue, name: task } = names.taskName(run.task);
  // The newest event of an open run is stored before its attempts.
  const attempts = run.finished_at === undefined ? (run.attempts?.slice(1) ?? []) : run.attempts;
  return {
    ...run,
    task,
    queue,
    worker: run.worker === null ? null : names.workerName(run.worker),
    finished_at: run.finished_at ?? null,
    changed_at: run.changed_at ?? run.finished_at ?? null,
    wait_ms: run.wait_ms ?? null,
    runtime_ms: run.runtime_ms ?? null,
    worker_version: run.worker_version ?? null,
    attempts_made: run.attempts_made ?? attempts?.length ?? 0,
    attempts,
  };
}
