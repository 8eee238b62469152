/** The headers of a task message. All are optional: a bare payload runs with its contract's settings. */
import { headers as newHeaders, MsgHdrsImpl, type MsgHdrs } from '@nats-io/nats-core';
import { count, duration, isInstant, parseInstant, sequence, timeLimit } from '../values/bounds.js';
import { isoTime } from '../values/iso-time.js';
import { traceParent, traceState } from '../values/trace-context.js';
import { isToken } from './names.js';
import type { WaitsFor } from './record.js';

export const TaskHeader = {
  Retries: 'Task-Retries',
  MaxRetries: 'Task-Max-Retries',
  SoftTimeLimit: 'Task-Soft-Time-Limit',
  TimeLimit: 'Task-Time-Limit',
  Expires: 'Task-Expires',
  EnqueuedAt: 'Task-Enqueued-At',
  ParentId: 'Task-Parent-Id',
  RootId: 'Task-Root-Id',
  /** The task's step in a workflow: `<workflow> <number of the step>`. */
  Workflow: 'Task-Workflow',
  ScheduledBy: 'Task-Scheduled-By',
  /** Number of snoozes: waits without a failure. */
  Snoozes: 'Task-Snoozes',
  /** Deliveries of this attempt by messages before this one: a worker that hands a task back may have to store it anew. */
  Deliveries: 'Task-Deliveries',
  /** How many of those were handed back. */
  HandBacks: 'Task-Hand-Backs',
  /** On a copy of a message that a worker took out of its order: `<sequence of that message> <milliseconds since 1970> <holder>`; held until then. */
  Held: 'Task-Held',
  /** How long the task has waited for a worker that knows it, in milliseconds. */
  UnknownFor: 'Task-Unknown-For',
  /** The task's turn at its rate limit: `<milliseconds since 1970> <limit> <milliseconds>`; or `full`, when it found the line full. */
  RateTurn: 'Task-Rate-Turn',
  /** What the task waits at: the gate of a key, `<task>.<limit>.<key as a token>`, or a circuit, `circuit=.<service>.<key as a token>`. */
  KeyWait: 'Task-Key-Wait',
  /** What the task waits for in its steps: `event <name> - <RFC 3339 end, or -> <number of further waits>`, or `task <name> <id> …`. */
  WaitsFor: 'Task-Waits-For',
  /** The run that has called this task, and waits for its end: `<subject of the run> <position of its step>`. */
  AwaitedBy: 'Task-Awaited-By',
  /** RFC 3339: since when a dependency of the task cannot be reached. */
  UnreachableSince: 'Task-Unreachable-Since',
  /** The failed attempts so far, as JSON; see `history.ts`. */
  History: 'Task-History',
  /** The sequence of the dead letter that this task was replayed from. */
  ReplayOf: 'Task-Replay-Of',
  /** The client generated the id, so no task with this id can have run before. */
  FreshId: 'Task-Fresh-Id',
  /** A success leaves a record for the bucket's full time, whatever the contract says: its producer asks whether the task has ended. */
  KeepRecord: 'Task-Keep-Record',
  /** Milliseconds since 1970: a worker that receives the task earlier keeps it until then. */
  NotBefore: 'Task-Not-Before',
  /** The unique key that this task holds until it ends. */
  UniqueKey: 'Task-Unique-Key',
  /** The unique key that this task took for a period: `<key> <milliseconds>`. */
  UniqueFor: 'Task-Unique-For',
  /** An earlier attempt has remembered steps. */
  Steps: 'Task-Steps',
  TraceParent: 'traceparent',
  TraceState: 'tracestate',
} as const;

/** Of a request to enqueue: of those with the same key that come in quick succession the last one runs. */
export const DebounceHeader = {
  Key: 'Task-Debounce-Key',
  /** Seconds without another request. */
  Quiet: 'Task-Debounce-Quiet',
  /** Seconds after the first request. */
  Max: 'Task-Debounce-Max',
} as const;

export const DeadHeader = {
  Reason: 'Dead-Reason',
  Error: 'Dead-Error',
  At: 'Dead-At',
  Attempts: 'Dead-Attempts',
  Worker: 'Dead-Worker',
  Subject: 'Dead-Subject',
} as const;

/** Headers that JetStream itself reads. */
export const ServerHeader = {
  MsgId: 'Nats-Msg-Id',
  /** A message's time to live. */
  Ttl: 'Nats-TTL',
  ExpectedLastSubjectSequence: 'Nats-Expected-Last-Subject-Sequence',
  /** The subjects, with wildcards, whose last sequence that is. Default: the message's own. */
  ExpectedLastSubject: 'Nats-Expected-Last-Subject-Sequence-Subject',
  /** Of the whole stream. */
  ExpectedLastSequence: 'Nats-Expected-Last-Sequence',
  Schedule: 'Nats-Schedule',
  ScheduleTarget: 'Nats-Schedule-Target',
  /** Set by the server on a scheduled message: the subject of the schedule. Publishers cannot set it. */
  Scheduler: 'Nats-Scheduler',
  TimeStamp: 'Nats-Time-Stamp',
  Subject: 'Nats-Subject',
  Sequence: 'Nats-Sequence',
  /** Of a batch: the number of matching messages that follow. */
  NumPending: 'Nats-Num-Pending',
} as const;

const SERVER_PREFIX = 'nats-';
const MAX_POSITION = 200;

/** Settings that a message carries. Times in milliseconds, as in the rest of the package. */
export interface TaskHeaders {
  retries: number;
  maxRetries: number | undefined;
  softTimeLimitMs: number | undefined;
  timeLimitMs: number | undefined;
  expires: Date | undefined;
  enqueuedAt: string | undefined;
  parentId: string | undefined;
  rootId: string | undefined;
  scheduledBy: ScheduledBy | undefined;
  snoozes: number;
  /** Deliveries of this attempt by messages before this one, and how many of them were handed back. */
  deliveries: number;
  handBacks: number;
  held: Held | undefined;
  /** Waits for a worker that knows it so far, in milliseconds. */
  unknownForMs: number;
  /** As written: only a worker of a limited task reads it. */
  rateTurn: string | undefined;
  /** As written. */
  keyWait: string | undefined;
  waitsFor: WaitsFor | undefined;
  awaitedBy: AwaitedBy | undefined;
  /** Milliseconds since 1970. */
  unreachableSince: number | undefined;
  history: string | undefined;
  replayOf: number | undefined;
  freshId: boolean;
  keepRecord: boolean;
  /** Milliseconds since 1970; 0 when the task may start at once. */
  notBefore: number;
  uniqueKey: string | undefined;
  uniqueFor: { key: string; forMs: number } | undefined;
  workflow: WorkflowPointer | undefined;
  hasSteps: boolean;
  /** The W3C trace context, unchecked. */
  traceParent: string | undefined;
  traceState: string | undefined;
}

/** The step of a run that has called a task. */
export interface AwaitedBy {
  /** Of the run's task. */
  readonly subject: string;
  readonly position: string;
}

/** A worker has taken the message with this sequence out of its order, and holds its copy until a time in milliseconds since 1970. */
export interface Held {
  readonly sequence: number;
  readonly until: number;
  readonly holder: string;
}

/** A task's position: the workflow, and the number of its node in the definition. On the wire: `<workflow> <node>`. */
export interface WorkflowPointer {
  readonly workflow: string;
  readonly node: number;
}

/** The schedule entry and the tick that made a task. On the wire: `<entry> <RFC 3339 time>`. */
export interface ScheduledBy {
  entry: string;
  tick: Date;
}

const NO_HEADERS: Readonly<TaskHeaders> = Object.freeze({
  retries: 0,
  maxRetries: undefined,
  softTimeLimitMs: undefined,
  timeLimitMs: undefined,
  expires: undefined,
  enqueuedAt: undefined,
  parentId: undefined,
  rootId: undefined,
  scheduledBy: undefined,
  snoozes: 0,
  deliveries: 0,
  handBacks: 0,
  held: undefined,
  unknownForMs: 0,
  rateTurn: undefined,
  keyWait: undefined,
  waitsFor: undefined,
  awaitedBy: undefined,
  unreachableSince: undefined,
  history: undefined,
  replayOf: undefined,
  freshId: false,
  keepRecord: false,
  notBefore: 0,
  uniqueKey: undefined,
  uniqueFor: undefined,
  workflow: undefined,
  hasSteps: false,
  traceParent: undefined,
  traceState: undefined,
});

type HeaderReader = (own: TaskHeaders, text: string) => void;

const READERS: ReadonlyMap<string, HeaderReader> = new Map<string, HeaderReader>([
  [TaskHeader.Retries, (own, text) => (own.retries = count.parse(text) ?? 0)],
  [TaskHeader.MaxRetries, (own, text) => (own.maxRetries = count.parse(text))],
  [TaskHeader.SoftTimeLimit, (own, text) => (own.softTimeLimitMs = secondsToMs(text))],
  [TaskHeader.TimeLimit, (own, text) => (own.timeLimitMs = secondsToMs(text))],
  [TaskHeader.Expires, (own, text) => (own.expires = parseInstant(text))],
  [TaskHeader.EnqueuedAt, (own, text) => (own.enqueuedAt = parseInstant(text)?.toISOString())],
  [TaskHeader.ParentId, (own, text) => (own.parentId = token(text))],
  [TaskHeader.RootId, (own, text) => (own.rootId = token(text))],
  [TaskHeader.ScheduledBy, (own, text) => (own.scheduledBy = scheduledBy(text))],
  [TaskHeader.Snoozes, (own, text) => (own.snoozes = count.parse(text) ?? 0)],
  [TaskHeader.Deliveries, (own, text) => (own.deliveries = count.parse(text) ?? 0)],
  [TaskHeader.HandBacks, (own, text) => (own.handBacks = count.parse(text) ?? 0)],
  [TaskHeader.Held, (own, text) => (own.held = heldBy(text))],
  [TaskHeader.UnknownFor, (own, text) => (own.unknownForMs = duration.parse(text) ?? 0)],
  [TaskHeader.RateTurn, (own, text) => (own.rateTurn = text || undefined)],
  [TaskHeader.KeyWait, (own, text) => (own.keyWait = text || undefined)],
  [TaskHeader.WaitsFor, (own, text) => (own.waitsFor = waitsFor(text))],
  [TaskHeader.AwaitedBy, (own, text) => (own.awaitedBy = awaitedBy(text))],
  [TaskHeader.UnreachableSince, (own, text) => (own.unreachableSince = parseInstant(text)?.getTime())],
  [TaskHeader.History, (own, text) => (own.history = text || undefined)],
  [TaskHeader.ReplayOf, (own, text) => (own.replayOf = sequence.parse(text))],
  [TaskHeader.FreshId, (own, text) => (own.freshId = text !== '')],
  [TaskHeader.KeepRecord, (own, text) => (own.keepRecord = text !== '')],
  [TaskHeader.NotBefore, (own, text) => (own.notBefore = instant(text) ?? 0)],
  [TaskHeader.UniqueKey, (own, text) => (own.uniqueKey = text || undefined)],
  [TaskHeader.UniqueFor, (own, text) => (own.uniqueFor = uniqueFor(text))],
  [TaskHeader.Workflow, (own, text) => (own.workflow = workflowPointer(text))],
  [TaskHeader.Steps, (own, text) => (own.hasSteps = text !== '')],
  [TaskHeader.TraceParent, (own, text) => (own.traceParent = traceParent.parse(text))],
  [TaskHeader.TraceState, (own, text) => (own.traceState = traceState.parse(text))],
]);

/** Reads a message's headers. An invalid value counts as absent, because a producer's mistake must not lose the task. */
export function readTaskHeaders(headers: MsgHdrs | undefined): Readonly<TaskHeaders> {
  if (headers === undefined) return NO_HEADERS;
  const own: TaskHeaders = { ...NO_HEADERS };
  // One pass: a task has few headers, and a lookup by name walks through all of them.
  for (const [name, [text]] of headers) READERS.get(name)?.(own, text ?? '');
  return own;
}

/** Who holds the message; `undefined` for one that is no copy. */
export function readHeld(headers: MsgHdrs | undefined): Held | undefined {
  return headers === undefined ? undefined : heldBy(headers.get(TaskHeader.Held));
}

/**
 * When a task was first accepted, RFC 3339: as its header says, but never later than the broker has stored the message. A producer whose
 * clock is ahead would otherwise outrank all later messages of the same id.
 * @param storedAt milliseconds since 1970, by the broker's clock
 */
export function enqueueTime(header: string | undefined, storedAt: number): string {
  if (header !== undefined && Date.parse(header) <= storedAt) return header;
  return isoTime(storedAt);
}

/** Copies a message's own headers, without those that the server adds or interprets, and that say whom a message stands in for. */
export function carryHeaders(headers: MsgHdrs | undefined): MsgHdrs {
  if (headers === undefined) return newHeaders();
  const own: Record<string, string[]> = {};
  for (const [name, values] of headers)
    if (!name.toLowerCase().startsWith(SERVER_PREFIX) && name !== TaskHeader.Held) own[name] = [...values];
  // They have been headers before, so nothing has to be checked.
  return MsgHdrsImpl.fromRecord(own);
}

/** Converts milliseconds to the decimal seconds of the time-limit headers. */
export function formatSeconds(milliseconds: number): string {
  return String(milliseconds / 1000);
}

export function formatScheduledBy({ entry, tick }: ScheduledBy): string {
  return `${entry} ${tick.toISOString()}`;
}

export function formatWorkflowPointer({ workflow, node }: WorkflowPointer): string {
  return `${workflow} ${node}`;
}

export function formatAwaitedBy({ subject, position }: AwaitedBy): string {
  return `${subject} ${position}`;
}

export function formatWaitsFor({ kind, name, id, until, others }: WaitsFor): string {
  return `${kind} ${name} ${id ?? '-'} ${until ?? '-'} ${others}`;
}

/** One line of text that fits a header: no line breaks, bounded, printable. */
export function headerText(text: string, maxLength = 1000): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

function secondsToMs(text: string): number | undefined {
  const seconds = duration.parse(text);
  const milliseconds = seconds === undefined ? undefined : Math.round(seconds * 1000);
  return timeLimit.includes(milliseconds) ? milliseconds : undefined;
}

/** Milliseconds since 1970. */
function instant(text: string): number | undefined {
  const time = sequence.parse(text);
  return time !== undefined && isInstant(time) ? time : undefined;
}

function token(text: string): string | undefined {
  return isToken(text) ? text : undefined;
}

function scheduledBy(text: string): ScheduledBy | undefined {
  const [entry, time, ...rest] = text.split(' ');
  const tick = parseInstant(time ?? '');
  return entry && tick && rest.length === 0 ? { entry, tick } : undefined;
}

function uniqueFor(text: string): TaskHeaders['uniqueFor'] {
  const [key, milliseconds = ''] = text.split(' ');
  const forMs = duration.parse(milliseconds);
  return key && forMs !== undefined ? { key, forMs } : undefined;
}

function workflowPointer(text: string): WorkflowPointer | undefined {
  const [, workflow, node] = /^([A-Za-z0-9_-]{1,58}) (\d{1,5})$/.exec(text) ?? [];
  return workflow === undefined ? undefined : { workflow, node: Number(node) };
}

const WAITS_FOR = /^(event|task) ([A-Za-z0-9_-]{1,64}) ([A-Za-z0-9_-]{1,64}) (\S{1,40}) (\d{1,4})$/;

function waitsFor(text: string): WaitsFor | undefined {
  const [, kind, name, id, until = '', others] = WAITS_FOR.exec(text) ?? [];
  if (name === undefined) return undefined;
  return {
    kind: kind === 'event' ? 'event' : 'task',
    name,
    id: id === undefined || id === '-' ? null : id,
    until: parseInstant(until)?.toISOString() ?? null,
    others: Number(others),
  };
}

function awaitedBy(text: string): AwaitedBy | undefined {
  const [, subject, position] = /^([\w.-]{1,500}) (\d{1,4}(?:-\d{1,4})*)$/.exec(text) ?? [];
  return subject === undefined || position === undefined || position.length > MAX_POSITION
    ? undefined
    : { subject, position };
}

function heldBy(text: string): Held | undefined {
  const [first = '', second = '', holder = ''] = text.split(' ');
  const [taken, until] = [sequence.parse(first), instant(second)];
  return taken === undefined || until === undefined || !isToken(holder)
    ? undefined
    : { sequence: taken, until, holder };
}
