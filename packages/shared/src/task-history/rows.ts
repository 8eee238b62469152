/** Runs as rows of `task_open` and `task_run`, and back. */
import { EVENT_STATES, PRIORITIES, reportedStepsSchema } from '@stratum/jobs';
import { z } from 'zod';
import { textOf, type Moment, type Run, type RunContext, type RunState } from './run.js';

/** Stored numbers. Success is 1: its index leaves it out. */
export const STATE_CODES: Readonly<Record<RunState, number>> = {
  SUCCESS: 1,
  FAILURE: 2,
  REVOKED: 3,
  EXPIRED: 4,
  STARTED: 5,
  RETRY: 6,
  SCHEDULED: 7,
  QUEUED: 8,
};
const PRIORITY_CODES = { high: 1, normal: 2, low: 3 } as const;

const states = new Map<number, string>(Object.entries(STATE_CODES).map(([state, code]) => [code, state]));
const priorities = new Map<number, string>(
  Object.entries(PRIORITY_CODES).map(([priority, code]) => [code, priority]),
);

export const stateSchema = z.enum(EVENT_STATES).exclude(['SKIPPED']);
export const stateOfCode = z
  .number()
  .transform((code) => states.get(code))
  .pipe(stateSchema);
export const priorityOfCode = z
  .number()
  .transform((code) => priorities.get(code))
  .pipe(z.enum(PRIORITIES));
const time = z.string().transform((text) => new Date(text).toISOString());
const momentSchema = z
  .object({
    state: stateSchema,
    at: z.string(),
    retries: z.number(),
    delivery: z.number().nullable().describe('1: the first. `null`: no worker has had it.'),
    worker: z.string().nullable(),
    version: z.string().nullable(),
    ready_at: z.string().nullable().describe('When it could start.'),
    started_at: z.string().nullable(),
    runtime_ms: z.number().nullable(),
    error: z.object({ type: z.string(), message: z.string(), group: z.string() }).nullable(),
    /** Absent in rows of earlier versions. */
    steps: reportedStepsSchema
      .nullable()
      .default(null)
      .describe('Its durable steps; `null`: it has none, or goes on.'),
  })
  .meta({ id: 'Attempt' });
export const attemptsSchema = z.array(momentSchema);

const sharedColumns = z.object({
  id: z.string(),
  enqueued_at: time,
  tenant_id: z.coerce.string(),
  task: z.number(),
  priority: priorityOfCode,
  state: stateOfCode,
  labels: z.record(z.string(), z.string()).nullable(),
  root_id: z.string().nullable(),
  parent_id: z.string().nullable(),
  workflow_id: z.string().nullable(),
  node: z.number().nullable(),
  schedule: z.string().nullable(),
  tick: time.nullable(),
  trace_id: z.string().nullable(),
});
const openRow = sharedColumns.extend({ attempts: z.array(momentSchema).min(1) });
const endedRow = sharedColumns.extend({
  finished_at: time,
  ready_at: time.nullable(),
  started_at: time.nullable(),
  error_type: z.string().nullable(),
  error_message: z.string().nullable(),
  worker: z.number().nullable(),
  worker_version: z.string().nullable(),
  runtime_ms: z.number().nullable(),
  retries: z.number(),
  delivery: z.number().nullable(),
  attempts: z.array(momentSchema).nullable(),
  /** As text: a 64-bit number is none of JavaScript's. */
  error_group_text: z.string().nullable(),
});

/** The numbers of names, and the names of numbers. */
export interface Dictionary {
  task: (queue: string, name: string) => number;
  taskName: (id: number) => { queue: string; name: string };
  worker: (name: string) => number;
  workerName: (id: number) => string;
}

type Row = Readonly<Record<string, unknown>>;

export function keyRow(run: Run, names: Dictionary): Row {
  return {
    id: run.id,
    enqueued_at: run.enqueued_at,
    tenant_id: run.tenant_id,
    task: names.task(run.queue, run.task),
  };
}

/** Field by field: copying the rest of an object takes longer than all else here, and this is done for each run. */
function sharedRow(run: Run, moment: Moment, names: Dictionary): Row {
  const { context } = run;
  return {
    id: run.id,
    enqueued_at: run.enqueued_at,
    tenant_id: run.tenant_id,
    task: names.task(run.queue, run.task),
    priority: PRIORITY_CODES[context.priority],
    labels: context.labels,
    root_id: context.root_id,
    parent_id: context.parent_id,
    workflow_id: context.workflow_id,
    node: context.node,
    schedule: context.schedule,
    tick: context.tick,
    trace_id: context.trace_id,
    state: STATE_CODES[moment.state],
    retries: moment.retries,
    worker: moment.worker === null ? null : names.worker(moment.worker),
    ready_at: moment.ready_at,
    started_at: moment.started_at,
    error_group: moment.error?.group ?? null,
    error_type: moment.error?.type ?? null,
    error_message: moment.error?.message ?? null,
  };
}

/** The newest moment is stored with the attempts, whether it is one or not. */
export function toOpenRow(run: Run, names: Dictionary): Row {
  return {
    ...sharedRow(run, run.latest, names),
    changed_at: run.latest.at,
    attempts: [run.latest, ...run.attempts],
  };
}

export function toEndedRow(run: Run, end: Moment, names: Dictionary): Row {
  return {
    ...sharedRow(run, end, names),
    finished_at: end.at,
    wait_ms: waitMs(end),
    runtime_ms: end.runtime_ms,
    attempts_made: run.attempts.length,
    delivery: end.delivery,
    worker_version: end.version,
    attempts: isToldBy(end, run.attempts) ? null : run.attempts,
  };
}

/** How long an attempt waited for a worker; clocks that differ make it no less than nothing. */
export function waitMs({ ready_at: ready, started_at: started }: Moment): number | null {
  return ready === null || started === null ? null : Math.max(0, Date.parse(started) - Date.parse(ready));
}

/** Whether the end says all of the attempts. Most runs have one attempt, and it is the end itself: only others are compared. */
function isToldBy(end: Moment, attempts: readonly Moment[]): boolean {
  const told = attemptsOf(end);
  if (attempts.length !== told.length || end.steps !== null) return false;
  return attempts[0] === told[0] || textOf(attempts) === textOf(told);
}

/** The attempts of a run that had one at most. */
function attemptsOf(end: Moment): Moment[] {
  return end.started_at === null ? [] : [end];
}

function contextOf(row: z.output<typeof sharedColumns>): RunContext {
  return {
    priority: row.priority,
    labels: row.labels,
    root_id: row.root_id,
    parent_id: row.parent_id,
    workflow_id: row.workflow_id,
    node: row.node,
    schedule: row.schedule,
    tick: row.tick,
    trace_id: row.trace_id,
  };
}

function identity(
  row: z.output<typeof sharedColumns>,
  names: Dictionary,
): Omit<Run, 'latest' | 'end' | 'attempts'> {
  const { queue, name: task } = names.taskName(row.task);
  return {
    id: row.id,
    enqueued_at: row.enqueued_at,
    tenant_id: row.tenant_id,
    queue,
    task,
    context: contextOf(row),
  };
}

export function fromOpenRow(row: unknown, names: Dictionary): Run {
  const parsed = openRow.parse(row);
  const [latest, ...attempts] = parsed.attempts;
  if (latest === undefined) throw new Error(`The open run ${parsed.id} has no newest event.`);
  return { ...identity(parsed, names), attempts, latest, end: undefined };
}

export function fromEndedRow(row: unknown, names: Dictionary): Run {
  const parsed = endedRow.parse(row);
  const end: Moment = {
    state: parsed.state,
    at: parsed.finished_at,
    retries: parsed.retries,
    delivery: parsed.delivery,
    worker: parsed.worker === null ? null : names.workerName(parsed.worker),
    version: parsed.worker_version,
    ready_at: parsed.ready_at,
    started_at: parsed.started_at,
    runtime_ms: parsed.runtime_ms,
    error:
      parsed.error_type === null
        ? null
        : {
            type: parsed.error_type,
            message: parsed.error_message ?? '',
            group: parsed.error_group_text ?? '',
          },
    steps: null,
  };
  // No column has them: an end with steps is stored among the attempts as well.
  end.steps = parsed.attempts?.find(({ at, state }) => at === end.at && state === end.state)?.steps ?? null;
  // What was known before the end does not matter any more.
  return { ...identity(parsed, names), attempts: parsed.attempts ?? attemptsOf(end), latest: end, end };
}
