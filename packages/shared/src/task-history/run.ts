/**
 * A run of a task, made of its events. Merging is commutative, associative and idempotent, so neither the order of events nor their repetition
 * changes what a run becomes.
 */
import type { EventState, Priority, ReportedSteps, TaskEvent } from '@stratum/jobs';
import { fingerprintOf } from './fingerprint.js';

export type RunState = Exclude<EventState, 'SKIPPED'>;

export interface RunError {
  type: string;
  message: string;
  /** Of the group of errors that it belongs to: a signed 64-bit number. */
  group: string;
}

/** What one event says of a run. Times are RFC 3339 in UTC, with milliseconds. */
export interface Moment {
  state: RunState;
  at: string;
  retries: number;
  delivery: number | null;
  worker: string | null;
  version: string | null;
  ready_at: string | null;
  started_at: string | null;
  runtime_ms: number | null;
  error: RunError | null;
  /** The durable steps of the run when the attempt was over; `null`: it has none, or the attempt is not over. */
  steps: ReportedSteps | null;
}

/** What all events of a run say alike. */
export interface RunContext {
  priority: Priority;
  labels: Readonly<Record<string, string>> | null;
  root_id: string | null;
  parent_id: string | null;
  workflow_id: string | null;
  node: number | null;
  schedule: string | null;
  tick: string | null;
  trace_id: string | null;
}

export interface Run {
  id: string;
  enqueued_at: string;
  /** 0: the platform itself. */
  tenant_id: string;
  queue: string;
  task: string;
  context: RunContext;
  /** In the order of their starts: of each attempt the last that is known of it. */
  attempts: readonly Moment[];
  latest: Moment;
  /** The first end: nothing reopens a run or ends it otherwise. */
  end: Moment | undefined;
}

/** The newest are kept: a run with a thousand retries stays small. */
const MAX_ATTEMPTS = 50;
const MAX_ERROR_TYPE = 200;
const MAX_ERROR_MESSAGE = 1_000;

const RANK: Readonly<Record<RunState, number>> = {
  STARTED: 0,
  QUEUED: 1,
  SCHEDULED: 1,
  RETRY: 1,
  SUCCESS: 2,
  FAILURE: 2,
  REVOKED: 2,
  EXPIRED: 2,
};

export function isEnd(state: RunState): boolean {
  return RANK[state] === RANK.SUCCESS;
}

/** `undefined` for an event that changes no run. */
export function runOf(event: TaskEvent): Run | undefined {
  const { state } = event;
  const at = instant(event.at);
  if (state === 'SKIPPED' || at === null) return undefined;
  const moment: Moment = {
    state,
    at,
    retries: event.retries,
    delivery: event.delivery ?? null,
    worker: event.worker,
    version: event.worker_version ?? null,
    ready_at: instant(event.ready_at),
    started_at: instant(event.started_at),
    runtime_ms: event.runtime_ms === null ? null : Math.round(event.runtime_ms),
    error: event.error && {
      type: event.error.type.slice(0, MAX_ERROR_TYPE),
      message: event.error.message.slice(0, MAX_ERROR_MESSAGE),
      group: fingerprintOf(event.task, event.error),
    },
    steps: event.steps ?? null,
  };
  return {
    id: event.id,
    enqueued_at: instant(event.enqueued_at) ?? moment.ready_at ?? at,
    tenant_id: tenantId(event.tenant),
    queue: event.queue,
    task: event.task,
    context: {
      priority: event.priority,
      labels: event.labels ?? null,
      root_id: event.root_id === event.id ? null : event.root_id,
      parent_id: event.parent_id,
      workflow_id: event.workflow?.id ?? null,
      node: event.workflow?.step ?? null,
      schedule: event.scheduled_by?.entry ?? null,
      tick: instant(event.scheduled_by?.tick),
      trace_id: event.trace_id ?? null,
    },
    attempts: moment.started_at === null ? [] : [moment],
    latest: moment,
    end: isEnd(state) ? moment : undefined,
  };
}

/** Of two runs with the same identity. */
export function identityOf({ id, enqueued_at: at, tenant_id: tenant, queue, task }: Run): string {
  return `${id} ${at} ${tenant} ${queue} ${task}`;
}

/** What is known from both. Their identities are the same. */
export function mergeRuns(a: Run, b: Run): Run {
  return {
    ...a,
    context: mergeContexts(a.context, b.context),
    attempts: mergeAttempts(a.attempts, b.attempts),
    latest: later(a.latest, b.latest),
    end: a.end === undefined || b.end === undefined ? (a.end ?? b.end) : earlier(a.end, b.end),
  };
}

function mergeAttempts(a: readonly Moment[], b: readonly Moment[]): readonly Moment[] {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  const byStart = new Map<string | null, Moment>();
  for (const moment of [...a, ...b]) {
    const known = byStart.get(moment.started_at);
    byStart.set(moment.started_at, known === undefined ? moment : further(known, moment));
  }
  return [...byStart.values()].toSorted(byStartTime).slice(-MAX_ATTEMPTS);
}

function byStartTime(a: Moment, b: Moment): number {
  return compare(a.started_at ?? '', b.started_at ?? '');
}

/** Of one attempt: what is nearer to its end. */
function further(a: Moment, b: Moment): Moment {
  const difference = RANK[a.state] - RANK[b.state] || compare(a.at, b.at) || byText(a, b);
  return difference >= 0 ? a : b;
}

function later(a: Moment, b: Moment): Moment {
  const difference =
    a.retries - b.retries || compare(a.at, b.at) || RANK[a.state] - RANK[b.state] || byText(a, b);
  return difference >= 0 ? a : b;
}

function earlier(a: Moment, b: Moment): Moment {
  return (compare(a.at, b.at) || byText(a, b)) <= 0 ? a : b;
}

/** Events of one run agree. Where they do not, either will do, as long as it is always the same. */
function mergeContexts(a: RunContext, b: RunContext): RunContext {
  return {
    priority: either(a.priority, b.priority),
    labels: either(a.labels, b.labels),
    root_id: either(a.root_id, b.root_id),
    parent_id: either(a.parent_id, b.parent_id),
    workflow_id: either(a.workflow_id, b.workflow_id),
    node: either(a.node, b.node),
    schedule: either(a.schedule, b.schedule),
    tick: either(a.tick, b.tick),
    trace_id: either(a.trace_id, b.trace_id),
  };
}

function either<Value>(a: Value, b: Value): Value {
  if (a === b || b === null) return a;
  return a === null || byText(a, b) < 0 ? b : a;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function byText(a: unknown, b: unknown): number {
  return compare(textOf(a), textOf(b));
}

/** Whatever the order of the keys: the database has one of its own. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => compare(a, b)))
      : inner,
  );
}

function instant(text: string | null | undefined): string | null {
  const at = text === null || text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

const TENANT = /^\d{1,18}$/;

function tenantId(tenant: string | null): string {
  return tenant !== null && TENANT.test(tenant) ? String(BigInt(tenant)) : '0';
}
