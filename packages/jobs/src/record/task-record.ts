/**
 * Builds the records of tasks, with one function for each transition. A record begins with the facts in the task's message; the course of
 * an attempt changes it.
 */
import type { MsgHdrs } from '@nats-io/nats-core';
import { storedSubject, type StreamMessage } from '../broker/stored-message.js';
import { enqueueTime, readTaskHeaders, ServerHeader, type TaskHeaders } from '../wire/headers.js';
import type { Names, TaskSubject } from '../wire/names.js';
import { cut } from '../values/any-value.js';
import { isoTime } from '../values/iso-time.js';
import {
  isFinal,
  type TaskErrorRecord,
  type TaskRecord,
  type TaskState,
  type WaitsFor,
} from '../wire/record.js';
import { errorRecord } from './error-record.js';
import { compareAttempts, type AttemptPosition } from './precedence.js';

/** A task's message from any source. */
export interface TaskMessage {
  readonly subject: TaskSubject;
  readonly headers: Readonly<TaskHeaders>;
  /** RFC 3339: when the task was first accepted. */
  readonly enqueuedAt: string;
  /** Milliseconds since 1970: when this attempt could start. */
  readonly readyAt: number;
}

/** A message in a queue's stream, possibly delayed. */
export interface QueuedTask extends TaskMessage {
  readonly isDelayed: boolean;
}

/** `undefined` for a message that is not a task. */
export function readQueuedTask(
  names: Names,
  { subject, headers, storedAt }: { subject: string; headers: MsgHdrs | undefined; storedAt: Date },
): QueuedTask | undefined {
  const target = headers?.get(ServerHeader.ScheduleTarget) ?? '';
  const parsed = names.parseTaskSubject(target === '' ? subject : target);
  if (parsed === undefined) return undefined;
  const own = readTaskHeaders(headers);
  return {
    subject: parsed,
    headers: own,
    enqueuedAt: enqueueTime(own.enqueuedAt, storedAt.getTime()),
    readyAt: Math.max(own.notBefore, storedAt.getTime()),
    isDelayed: target !== '' || own.notBefore > Date.now(),
  };
}

/** The same for a message that was read from its stream directly. */
export function readStoredTask(names: Names, message: StreamMessage): QueuedTask | undefined {
  const storedAt = new Date(message.headers?.get(ServerHeader.TimeStamp) ?? Date.now());
  return readQueuedTask(names, { subject: storedSubject(message), headers: message.headers, storedAt });
}

/** Its position. */
export function positionOf({ headers, enqueuedAt }: TaskMessage): AttemptPosition {
  return { enqueued_at: enqueuedAt, retries: headers.retries, snoozes: headers.snoozes };
}

/** The task waits for a worker, or until it is due. */
export function waitingRecord(task: QueuedTask): TaskRecord {
  return recordOf(task, task.isDelayed ? 'SCHEDULED' : 'PENDING');
}

/**
 * A worker has begun an attempt.
 * @param startedAt milliseconds since 1970
 */
export function startedRecord(
  task: TaskMessage,
  deliveries: number,
  worker: string,
  startedAt: number,
): TaskRecord {
  const record = recordOf(task, 'STARTED');
  record.worker = worker;
  record.started_at = isoTime(startedAt);
  if (deliveries > 1) record.deliveries = deliveries;
  return record;
}

/** An attempt that has run since `startedTick` of the monotonic clock, in milliseconds. */
export interface RunAttempt {
  readonly record: TaskRecord;
  readonly startedTick: number;
}

export function succeededRecord(attempt: RunAttempt, result: unknown): TaskRecord {
  const record = endOfRun(attempt, 'SUCCESS');
  record.result = result;
  return record;
}

/** Expired before it ran, or revoked. */
export function endedRecord(attempt: RunAttempt, state: 'EXPIRED' | 'REVOKED'): TaskRecord {
  return endOfRun(attempt, state);
}

export function failedRecord(attempt: RunAttempt, error: TaskErrorRecord): TaskRecord {
  const record = endOfRun(attempt, 'FAILURE');
  record.error = error;
  return record;
}

/** The task waits for a retry. */
export function retryRecord(attempt: RunAttempt, error: TaskErrorRecord): TaskRecord {
  const record = endOfRun(attempt, 'RETRY');
  return { ...record, retries: record.retries + 1, deliveries: undefined, hand_backs: undefined, error };
}

/** The task waits because its handler snoozed it, or for a dependency that cannot be reached. */
export function snoozedRecord(
  attempt: RunAttempt,
  error: TaskErrorRecord | null,
  waitsFor?: WaitsFor,
): TaskRecord {
  const record = endOfRun(attempt, 'SCHEDULED');
  return {
    ...record,
    snoozes: (record.snoozes ?? 0) + 1,
    deliveries: undefined,
    hand_backs: undefined,
    error,
    waits_for: waitsFor,
  };
}

/** The worker released the task for another worker. @param handBacks of this attempt, this one included */
export function handedBackRecord(record: TaskRecord, deliveries: number, handBacks: number): TaskRecord {
  return {
    ...record,
    state: 'PENDING',
    deliveries,
    hand_backs: handBacks,
    worker: null,
    started_at: null,
    progress: null,
  };
}

/** How many deliveries of this attempt were handed back, as the record in the bucket has it. */
export function handBacksOf(task: TaskMessage, standing: TaskRecord | undefined): number {
  const isSame = standing !== undefined && compareAttempts(standing, positionOf(task)) === 0;
  return Math.max(task.headers.handBacks, isSame ? (standing.hand_backs ?? 0) : 0);
}

/**
 * The task has lost too many workers.
 * @param deliveries of this attempt; those that were handed back are no losses
 * @param standing the record in the bucket, possibly of another attempt
 */
export function lostRecord(
  task: TaskMessage,
  deliveries: number,
  standing: TaskRecord | undefined,
): TaskRecord {
  const record = recordOf(task, 'FAILURE');
  const last = standing !== undefined && compareAttempts(standing, record) === 0 ? standing : undefined;
  return {
    ...record,
    deliveries,
    worker: last?.worker ?? null,
    error: {
      type: WORKER_LOST,
      message: lostMessage(deliveries - handBacksOf(task, standing)),
      stack: null,
      retryable: false,
    },
    progress: last?.progress ?? null,
    started_at: last?.started_at ?? null,
    finished_at: isoTime(Date.now()),
  };
}

export const WORKER_LOST = 'WorkerLost';

export function lostMessage(losses: number): string {
  return `The task lost its worker ${losses} times.`;
}

/** The task was revoked while it waited. @param standing the record in the bucket, whose facts about earlier attempts are kept */
export function revokedRecord(task: QueuedTask, standing: TaskRecord | undefined): TaskRecord {
  const record = waitingRecord(task);
  const earlier = standing?.enqueued_at === record.enqueued_at ? standing : undefined;
  return {
    ...(earlier ?? record),
    state: 'REVOKED',
    waits_for: undefined,
    retries: record.retries,
    snoozes: record.snoozes,
    deliveries: undefined,
    hand_backs: undefined,
    finished_at: isoTime(Date.now()),
  };
}

/** A dead letter is replayed: the task begins a new life. */
export function replayedRecord(record: TaskRecord, enqueuedAt: string): TaskRecord {
  return {
    ...record,
    state: 'PENDING',
    retries: 0,
    snoozes: undefined,
    deliveries: undefined,
    hand_backs: undefined,
    worker: null,
    result: null,
    payload: undefined,
    error: null,
    progress: null,
    enqueued_at: enqueuedAt,
    started_at: null,
    finished_at: null,
    runtime_ms: null,
  };
}

/** A workflow step that cannot be enqueued. */
export function unfitRecord(task: TaskMessage, error: Error): TaskRecord {
  return {
    ...recordOf(task, 'FAILURE'),
    error: { ...errorRecord(error, false), stack: null },
    finished_at: isoTime(Date.now()),
  };
}

/** A record without what only explains it at length: the stack and the note, and most of the message. */
export function shortenedRecord(record: TaskRecord): TaskRecord {
  const { error, progress } = record;
  return {
    ...record,
    error: error && { ...error, type: cut(error.type, 60), message: cut(error.message, 200), stack: null },
    progress: progress && { ...progress, note: null },
    payload: undefined,
  };
}

/** Stack traces are not for every reader of the record. */
export function withoutStack(record: TaskRecord): TaskRecord {
  return record.error === null ? record : { ...record, error: { ...record.error, stack: null } };
}

/** Sets all fields in wire order, in one literal, because this is on the hot path. */
function recordOf({ subject, headers, enqueuedAt }: TaskMessage, state: TaskState): TaskRecord {
  return {
    id: subject.id,
    task: subject.task,
    queue: subject.queue,
    tenant: subject.tenant ?? null,
    priority: subject.priority,
    state,
    retries: headers.retries,
    snoozes: headers.snoozes === 0 ? undefined : headers.snoozes,
    deliveries: undefined,
    hand_backs: headers.handBacks === 0 ? undefined : headers.handBacks,
    worker: null,
    result: null,
    payload: undefined,
    error: null,
    progress: null,
    enqueued_at: enqueuedAt,
    started_at: null,
    finished_at: null,
    runtime_ms: null,
    waits_for: state === 'SCHEDULED' ? headers.waitsFor : undefined,
    parent_id: headers.parentId ?? null,
    root_id: headers.rootId ?? subject.id,
  };
}

/** A copy that belongs to the caller. */
function endOfRun({ record, startedTick }: RunAttempt, state: TaskState): TaskRecord {
  return {
    ...record,
    state,
    finished_at: isFinal(state) ? isoTime(Date.now()) : null,
    runtime_ms: Math.round(performance.now() - startedTick),
  };
}
