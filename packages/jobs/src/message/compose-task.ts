/** Turns what a producer asks for into the message that goes on the wire. */
import { newId } from '../values/new-id.js';
import type { MsgHdrs } from '@nats-io/nats-core';
import { OutgoingHeaders } from '../broker/outgoing-headers.js';
import { InvalidPayloadError, JobsError } from '../errors.js';
import { fieldOf, isNestedTooDeep, MAX_NESTING, textOf } from '../values/any-value.js';
import {
  carryHeaders,
  formatAwaitedBy,
  formatScheduledBy,
  formatSeconds,
  formatWaitsFor,
  ServerHeader,
  TaskHeader,
  type AwaitedBy,
  type ScheduledBy,
} from '../wire/headers.js';
import { count, duration, requireInstant, timeLimit } from '../values/bounds.js';
import { traceParent, traceState } from '../values/trace-context.js';
import {
  requirePriority,
  requireTenant,
  requireToken,
  type Names,
  type Priority,
  type TaskSubject,
} from '../wire/names.js';
import type { DebounceOptions } from '../task/contract-debounce.js';
import type { WaitsFor } from '../wire/record.js';
import { carrierOf } from '../wire/shards.js';

/**
 * The broker hands delayed tasks over this much early, and the worker keeps them until their very time: with many due at once the
 * broker itself is late by up to a quarter of a second.
 */
const HAND_OVER_EARLY_MS = 300;

/** How one task is enqueued. Everything has a default. */
export interface EnqueueOptions {
  /** Task id, one token of up to 64 characters. Default: a random UUID. The same id within two minutes is stored once. */
  id?: string;
  /** Start no earlier than this many milliseconds from now. */
  delayMs?: number;
  /** Start no earlier than this time. Not together with `delayMs`. */
  eta?: Date;
  /** Not started after this time: the task ends as `EXPIRED`. */
  expires?: Date;
  /** Lane within the queue. Default: the contract's. */
  priority?: Priority;
  /** Default: taken from the payload, as the contract says. */
  tenant?: string | number;
  /** Override the contract's retries after the first attempt. */
  maxRetries?: number;
  /** Override the contract's soft limit, in milliseconds. */
  softTimeLimitMs?: number;
  /** Override the contract's hard limit, in milliseconds. */
  timeLimitMs?: number;
  /** Refuse when a task of the same id is still queued or running, however long ago it was enqueued. Default false. */
  unique?: boolean;
  /**
   * Refuse while another task of the same kind with this key is queued or running; `enqueue` then returns that task's id. Any text.
   */
  uniqueKey?: string;
  /**
   * A success leaves a record until the results bucket forgets it, also where the contract has `ignoreResult` or `resultExpiresMs`; with
   * `ignoreResult` one without the result. Default false.
   */
  keepRecord?: boolean;
  /** Hold the unique key for this long, in milliseconds, however soon the task ends, instead of until it ends. */
  uniqueForMs?: number;
  /** Of the tasks of a key that come in quick succession the last one runs. Not together with other unique keys, or a time of its own. */
  debounce?: DebounceOptions;
  /** The task that enqueues this one, and the first of the family. */
  parentId?: string;
  rootId?: string;
  /** W3C trace context of who enqueues it, where no tracer does that. */
  traceParent?: string;
  traceState?: string | undefined;
  /** Which schedule entry and tick asked for it. */
  scheduledBy?: ScheduledBy;
  /** The run that waits for its end; `calledAt`: when it called, RFC 3339. Set by `context.call`. */
  awaitedBy?: AwaitedBy & { calledAt: string };
}

export interface ComposedMessage {
  id: string;
  subject: string;
  body: string;
  headers: MsgHdrs;
  /** The server keeps it until it is due. */
  isDelayed: boolean;
}

export interface TaskTarget {
  queue: string;
  task: string;
  priority: Priority;
  tenant: string | undefined;
}

/** The unique key that a task holds: until it ends, or for a period in milliseconds. */
export interface UniqueLock {
  key: string;
  forMs: number | undefined;
}

/** @throws JobsError `invalid_options` that names the option */
export function composeTask(
  names: Names,
  target: TaskTarget,
  payload: unknown,
  options: EnqueueOptions,
  {
    now = new Date(),
    fresh = options.id === undefined,
    lock,
  }: { now?: Date | undefined; fresh?: boolean; lock?: UniqueLock | undefined } = {},
): ComposedMessage {
  const id = options.id === undefined ? newId() : requireToken(options.id, 'id');
  const subject: TaskSubject = {
    queue: target.queue,
    shard: names.shardFor(target.queue, id),
    priority: options.priority === undefined ? target.priority : requirePriority(options.priority),
    tenant: options.tenant === undefined ? target.tenant : requireTenant(options.tenant),
    task: target.task,
    id,
  };
  const headers = new OutgoingHeaders();
  headers.put(ServerHeader.MsgId, id);
  if (fresh) headers.put(TaskHeader.FreshId, '1');
  setOptions(headers, options);
  const body = bodyOf(target.task, payload);
  const startAt = startTime(options, now);
  if (options.unique === true) headers.set(ServerHeader.ExpectedLastSubjectSequence, '0');
  if (lock !== undefined) setLock(headers, lock);
  // The server's own timestamp says when a task that runs at once was accepted.
  if (startAt === undefined)
    return { id, subject: names.taskSubject(subject), body, headers, isDelayed: false };
  if (options.awaitedBy === undefined) headers.set(TaskHeader.EnqueuedAt, now.toISOString());
  return { id, body, ...scheduleAt(names, subject, startAt, headers, now) };
}

/** A task that is to run again: what it carried, and what changes. */
export interface NextAttempt {
  retries: number;
  snoozes: number;
  /** How long it has waited for a worker that knows it, in milliseconds. Default 0. */
  unknownForMs?: number;
  /** Its turn at a rate limit. Default: it has none. */
  rateTurn?: string | undefined;
  /** The gate of a key that it waits at. Default: at none. */
  keyWait?: string | undefined;
  /** What it waits for in its steps. Default: for nothing. */
  waitsFor?: WaitsFor | undefined;
  startAt: Date;
  /** By the clock that `startAt` follows. */
  now: Date;
  enqueuedAt: string;
  headers: MsgHdrs | undefined;
  history: string | undefined;
  /** It has remembered steps. */
  hasSteps?: boolean;
  /** Since when a dependency cannot be reached, in milliseconds since 1970. */
  unreachableSince?: number | undefined;
}

/** The next attempt of a task: its own headers, the numbers of retries and snoozes so far, a start time. */
export function composeNextAttempt(
  names: Names,
  subject: TaskSubject,
  attempt: NextAttempt,
): { subject: string; headers: MsgHdrs } {
  const headers = carryHeaders(attempt.headers);
  // The next attempt has not been delivered yet.
  headers.delete(TaskHeader.Deliveries);
  headers.delete(TaskHeader.HandBacks);
  headers.delete(TaskHeader.UnknownFor);
  headers.delete(TaskHeader.RateTurn);
  headers.delete(TaskHeader.KeyWait);
  headers.delete(TaskHeader.WaitsFor);
  if (attempt.waitsFor !== undefined) headers.set(TaskHeader.WaitsFor, formatWaitsFor(attempt.waitsFor));
  if (attempt.keyWait !== undefined) headers.set(TaskHeader.KeyWait, attempt.keyWait);
  if (attempt.rateTurn !== undefined) headers.set(TaskHeader.RateTurn, attempt.rateTurn);
  if (attempt.unknownForMs !== undefined) headers.set(TaskHeader.UnknownFor, String(attempt.unknownForMs));
  headers.set(TaskHeader.Retries, String(attempt.retries));
  headers.set(TaskHeader.EnqueuedAt, attempt.enqueuedAt);
  // The same id for the same attempt: a worker that dies between this publish and its ack repeats nothing.
  // The time it was enqueued is part of it: a replayed task begins to count anew.
  const life = `${subject.id}.${attempt.enqueuedAt}`;
  headers.set(ServerHeader.MsgId, `${life}.next-${attempt.retries}-${attempt.snoozes}`);
  if (attempt.snoozes > 0) headers.set(TaskHeader.Snoozes, String(attempt.snoozes));
  if (attempt.history !== undefined) headers.set(TaskHeader.History, attempt.history);
  if (attempt.hasSteps === true) headers.set(TaskHeader.Steps, '1');
  const { unreachableSince } = attempt;
  if (unreachableSince === undefined) headers.delete(TaskHeader.UnreachableSince);
  else headers.set(TaskHeader.UnreachableSince, new Date(unreachableSince).toISOString());
  return scheduleAt(names, subject, attempt.startAt, headers, attempt.now);
}

/** A task whose message the server will not deliver again, although it has not lost that many workers. */
export interface RenewedTask {
  headers: MsgHdrs | undefined;
  enqueuedAt: string;
  /** Sequence of the message that this one replaces. */
  sequence: number;
  /** Of this attempt so far. */
  deliveries: number;
  handBacks: number;
}

/** The same attempt as a new message, with its number of deliveries. The server refuses it if the subject holds a later one. */
export function composeRenewal(
  id: string,
  { headers: own, enqueuedAt, sequence, deliveries, handBacks }: RenewedTask,
): MsgHdrs {
  const headers = carryHeaders(own);
  headers.set(TaskHeader.EnqueuedAt, enqueuedAt);
  headers.set(TaskHeader.Deliveries, String(deliveries));
  headers.set(TaskHeader.HandBacks, String(handBacks));
  headers.set(ServerHeader.MsgId, `${id}.${enqueuedAt}.renewed-${sequence}`);
  headers.set(ServerHeader.ExpectedLastSubjectSequence, String(sequence));
  return headers;
}

function scheduleAt(
  names: Names,
  subject: TaskSubject,
  startAt: Date,
  headers: MsgHdrs,
  now: Date,
): Omit<ComposedMessage, 'id' | 'body'> {
  headers.set(TaskHeader.NotBefore, String(startAt.getTime()));
  const handOverAt = new Date(startAt.getTime() - HAND_OVER_EARLY_MS);
  if (handOverAt <= now) return { subject: names.taskSubject(subject), headers, isDelayed: false };
  headers.set(ServerHeader.Schedule, `@at ${handOverAt.toISOString()}`);
  headers.set(ServerHeader.ScheduleTarget, names.taskSubject(subject));
  return { subject: names.delayedSubject(carrierOf(subject), subject.id), headers, isDelayed: true };
}

/** @throws InvalidPayloadError for a payload that JSON cannot carry */
export function bodyOf(task: string, payload: unknown): string {
  let problem = 'JSON has no such value';
  try {
    const body: string | undefined = JSON.stringify(payload);
    if (body !== undefined && !isNestedTooDeep(body)) return body;
    if (body !== undefined) problem = `it is nested deeper than ${MAX_NESTING} levels`;
  } catch (error) {
    problem = textOf(fieldOf(error, 'message') ?? error, 200);
  }
  throw new InvalidPayloadError(task, [`(payload): it cannot be written as JSON: ${problem}`]);
}

function setLock(headers: MsgHdrs, { key, forMs }: UniqueLock): void {
  if (forMs === undefined) headers.set(TaskHeader.UniqueKey, key);
  // The task does not release it; a replay takes it anew.
  else headers.set(TaskHeader.UniqueFor, `${key} ${forMs}`);
}

function setOptions(headers: MsgHdrs, options: EnqueueOptions): void {
  if (options.maxRetries !== undefined) {
    headers.set(TaskHeader.MaxRetries, String(count.require('maxRetries', options.maxRetries)));
  }
  if (options.softTimeLimitMs !== undefined) {
    headers.set(
      TaskHeader.SoftTimeLimit,
      formatSeconds(timeLimit.require('softTimeLimitMs', options.softTimeLimitMs)),
    );
  }
  if (options.timeLimitMs !== undefined) {
    headers.set(TaskHeader.TimeLimit, formatSeconds(timeLimit.require('timeLimitMs', options.timeLimitMs)));
  }
  if (options.expires !== undefined) {
    headers.set(TaskHeader.Expires, requireInstant('expires', options.expires).toISOString());
  }
  if (options.keepRecord === true) headers.set(TaskHeader.KeepRecord, '1');
  if (options.parentId !== undefined)
    headers.set(TaskHeader.ParentId, requireToken(options.parentId, 'parentId'));
  if (options.rootId !== undefined) headers.set(TaskHeader.RootId, requireToken(options.rootId, 'rootId'));
  if (options.traceParent !== undefined)
    headers.set(TaskHeader.TraceParent, traceParent.require('traceParent', options.traceParent));
  if (options.traceState !== undefined)
    headers.set(TaskHeader.TraceState, traceState.require('traceState', options.traceState));
  if (options.scheduledBy !== undefined)
    headers.set(TaskHeader.ScheduledBy, scheduledByOf(options.scheduledBy));
  if (options.awaitedBy !== undefined) {
    headers.set(TaskHeader.AwaitedBy, formatAwaitedBy(options.awaitedBy));
    // However often it is published, it is one life of the task: whoever finds it ended does not run it again.
    headers.set(TaskHeader.EnqueuedAt, options.awaitedBy.calledAt);
  }
}

function scheduledByOf({ entry, tick }: ScheduledBy): string {
  return formatScheduledBy({
    entry: requireToken(entry, 'scheduledBy.entry'),
    tick: requireInstant('scheduledBy.tick', tick),
  });
}

function startTime(options: EnqueueOptions, now: Date): Date | undefined {
  const { delayMs, eta } = options;
  if (delayMs !== undefined && eta !== undefined) {
    throw new JobsError('invalid_options', 'delayMs and eta were both given; give one of them.');
  }
  const delay = duration.optional('delayMs', delayMs) ?? 0;
  const startAt = eta === undefined ? new Date(now.getTime() + delay) : requireInstant('eta', eta);
  return startAt.getTime() > now.getTime() ? startAt : undefined;
}
