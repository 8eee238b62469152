/** A run as the API shows it. */
import { z } from 'zod';
import { attemptsSchema, priorityOfCode, stateOfCode } from './rows.js';
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
type RunRow = z.output<typeof runRow>;

export interface RunView extends Omit<
  RunRow,
  | 'task'
  | 'worker'
  | 'finished_at'
  | 'changed_at'
  | 'wait_ms'
  | 'runtime_ms'
  | 'worker_version'
  | 'attempts_made'
  | 'attempts'
> {
  task: string;
  queue: string;
  worker: string | null;
  finished_at: string | null;
  changed_at: string | null;
  wait_ms: number | null;
  runtime_ms: number | null;
  worker_version: string | null;
  attempts_made: number;
  /** `null`: one at most, and the run says all of it. */
  attempts: RunRow['attempts'];
}

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
