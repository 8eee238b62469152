/** The headers of a task message. All are optional: a bare payload runs with its contract's settings. */
import { headers as newHeaders, type MsgHdrs } from '@nats-io/nats-core';

export const TaskHeader = {
  Retries: 'Task-Retries',
  MaxRetries: 'Task-Max-Retries',
  SoftTimeLimit: 'Task-Soft-Time-Limit',
  TimeLimit: 'Task-Time-Limit',
  Expires: 'Task-Expires',
  EnqueuedAt: 'Task-Enqueued-At',
  ParentId: 'Task-Parent-Id',
  RootId: 'Task-Root-Id',
  Workflow: 'Task-Workflow',
  ScheduledBy: 'Task-Scheduled-By',
  TraceParent: 'traceparent',
  TraceState: 'tracestate',
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
  ExpectedLastSubjectSequence: 'Nats-Expected-Last-Subject-Sequence',
  Schedule: 'Nats-Schedule',
  ScheduleTarget: 'Nats-Schedule-Target',
  TimeStamp: 'Nats-Time-Stamp',
  Subject: 'Nats-Subject',
} as const;

const SERVER_PREFIX = 'nats-';

/** Settings that a message carries for itself; times in milliseconds, as the rest of the package. */
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
}

/** Which schedule entry asked for a task, and for which of its times. On the wire: `<entry> <RFC 3339 time>`. */
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
});

/** Reads a message's headers. A value that does not parse counts as absent: a foreign producer's slip must not lose the task. */
export function readTaskHeaders(headers: MsgHdrs | undefined): Readonly<TaskHeaders> {
  if (headers === undefined) return NO_HEADERS;
  return {
    retries: wholeNumber(headers.get(TaskHeader.Retries)) ?? 0,
    maxRetries: wholeNumber(headers.get(TaskHeader.MaxRetries)),
    softTimeLimitMs: secondsToMs(headers.get(TaskHeader.SoftTimeLimit)),
    timeLimitMs: secondsToMs(headers.get(TaskHeader.TimeLimit)),
    expires: timestamp(headers.get(TaskHeader.Expires)),
    enqueuedAt: timestamp(headers.get(TaskHeader.EnqueuedAt))?.toISOString(),
    parentId: headers.get(TaskHeader.ParentId) || undefined,
    rootId: headers.get(TaskHeader.RootId) || undefined,
    scheduledBy: scheduledBy(headers.get(TaskHeader.ScheduledBy)),
  };
}

/** A copy of a message's own headers, without those that the server added or that spoke to it. */
export function carryHeaders(headers: MsgHdrs | undefined): MsgHdrs {
  const copy = newHeaders();
  if (headers === undefined) return copy;
  for (const [name, values] of headers) {
    if (name.toLowerCase().startsWith(SERVER_PREFIX)) continue;
    for (const value of values) copy.append(name, value);
  }
  return copy;
}

/** Milliseconds as the decimal seconds of the time-limit headers. */
export function formatSeconds(milliseconds: number): string {
  return String(milliseconds / 1000);
}

export function formatScheduledBy({ entry, tick }: ScheduledBy): string {
  return `${entry} ${tick.toISOString()}`;
}

/** One line of text that fits a header: no line breaks, bounded, printable. */
export function headerText(text: string, maxLength = 1000): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function secondsToMs(text: string): number | undefined {
  return /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Math.round(Number(text) * 1000) : undefined;
}

function scheduledBy(text: string): ScheduledBy | undefined {
  const [entry, time, ...rest] = text.split(' ');
  const tick = timestamp(time ?? '');
  return entry && tick && rest.length === 0 ? { entry, tick } : undefined;
}

function timestamp(text: string): Date | undefined {
  if (text === '') return undefined;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? undefined : time;
}
