/** What the server answers. */

export interface Problem {
  code: string;
  title: string;
  evidence: string;
  remedy: string;
  link: string;
  resume?: string;
}

export interface Queue {
  queue: string;
  high: number;
  normal: number;
  low: number;
  delayed: number;
  running: number;
  paused: boolean;
  oldest_at: string | null;
  slots: number;
  slots_used: number;
  in_per_s: number | null;
  out_per_s: number | null;
  drain_s: number | null;
  wait_p95_ms: number | null;
  run_p95_ms: number | null;
  failed_15m: number;
  ended_15m: number;
}

export interface Worker {
  name: string;
  host: string;
  pid: number;
  condition: 'ready' | 'busy' | 'draining' | 'blocked' | 'unreachable';
  queues: string[];
  contracts?: string[];
  concurrency: number;
  running: number;
  reserved: number;
  succeeded: number;
  failed: number;
  retried: number;
  loop_lag_ms: number;
  version?: string;
  memory_bytes?: number;
  cpu_percent?: number;
  started_at: string;
  at: string;
}

export interface Snapshot {
  at: string;
  sampled_at: string | null;
  verdict: 'moving' | 'problems' | 'unknown';
  problems: Problem[];
  queues: Queue[];
  workers: Worker[];
  schedulers: { name: string; leads: boolean }[];
  history: { sequence: number; behind_events: number; behind_ms: number; gaps: number };
}

export type RunState =
  'SUCCESS' | 'FAILURE' | 'REVOKED' | 'EXPIRED' | 'STARTED' | 'RETRY' | 'SCHEDULED' | 'QUEUED';

export interface Attempt {
  state: RunState;
  at: string;
  retries: number;
  delivery: number | null;
  worker: string | null;
  version: string | null;
  ready_at: string | null;
  started_at: string | null;
  runtime_ms: number | null;
  error: { type: string; message: string; group: string } | null;
}

export interface Run {
  id: string;
  task: string;
  queue: string;
  tenant_id: string;
  priority: string;
  state: RunState;
  retries: number;
  worker: string | null;
  enqueued_at: string;
  ready_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  changed_at: string | null;
  wait_ms: number | null;
  runtime_ms: number | null;
  worker_version: string | null;
  error_group: string | null;
  error_type: string | null;
  error_message: string | null;
  attempts_made: number;
  attempts: Attempt[] | null;
  labels: Record<string, string> | null;
  root_id: string | null;
  parent_id: string | null;
  workflow_id: string | null;
  node: number | null;
  schedule: string | null;
  tick: string | null;
  trace_id: string | null;
}

export interface WaitingTask {
  id: string;
  task: string;
  queue: string;
  priority: string;
  tenant_id: string;
  stored_at: string;
}

export interface TaskPage {
  open: Run[];
  waiting: { items: WaitingTask[]; total: number; complete: boolean; unsupported: string[] };
  items: Run[];
  next: { before: string; before_id: string | null } | null;
  searched_until: string;
  complete: boolean;
  as_of: string;
}

/** The record that the broker keeps for a day. */
export interface TaskRecord {
  id: string;
  task: string;
  queue: string;
  state: 'PENDING' | Exclude<RunState, 'QUEUED'>;
  retries: number;
  worker: string | null;
  result: unknown;
  payload?: unknown;
  error: { type: string; message: string; stack: string | null } | null;
  progress: { done: number; total: number; note: string | null } | null;
  enqueued_at: string | null;
  started_at: string | null;
}

export interface Finding {
  code: string;
  text: string;
  remedy: string | null;
  eta: string | null;
}

export interface Session {
  actor: string;
  tenant: number | null;
  rights: string[];
  expires_at: string;
}

export interface Suggestions {
  keys: Record<string, string>;
  states: string[];
  queues: string[];
  tasks: string[];
}

export interface SeriesData {
  at: number[];
  lines: Record<string, (number | null)[]>;
  unit: string;
  step_s: number;
}

/** Failed runs with one fingerprint. */
export interface FailureGroup {
  group: string;
  task: string;
  queue: string;
  failures: number;
  tenants: number;
  first_at: string;
  last_at: string;
  error_type: string | null;
  error_message: string | null;
  worker: string | null;
  /** By hour, the oldest first. */
  hours: number[];
}

export interface GroupReplay {
  replayed: string[];
  conflicts: { id: string; code: string; detail: string }[];
  more: boolean;
}

export interface ScheduleEntry {
  name: string;
  task: string;
  queue: string;
  tenant: string | null;
  cron?: string;
  every_ms?: number;
  time_zone: string;
  source: 'code' | 'runtime';
  paused: { at: string; reason: string } | null;
  next: string | null;
  warnings: string[];
  catch_up: string;
  overlap: string;
  jitter_ms: number;
  starting_deadline_ms: number;
  last_run: {
    id: string;
    tick: string;
    outcome: Exclude<RunState, 'QUEUED'> | 'PENDING' | 'UNKNOWN' | null;
    finished_at: string | null;
  } | null;
  fired: number;
  missed: number;
  last_missed: { reason: 'down' | 'overlap'; since: string; until: string } | null;
}

export interface PastTick {
  id: string;
  tick: string;
  state: RunState;
  started_at: string | null;
  finished_at: string | null;
  runtime_ms: number | null;
}

export interface EntryTicks {
  past: PastTick[];
  upcoming: string[];
}

export interface AuditEvent {
  sequence: number;
  id: string;
  actor: string;
  action: string;
  subject: string;
  details: Record<string, unknown>;
  occurred_at: string;
}
