/**
 * Sends a dead letter back to work:
 *
 *     take its unique key → publish the task → reset its record → remove the letter
 *
 * Whoever dies in between leaves the letter, and the next replay, or the task's start, finishes. What would end the task unseen is refused,
 * and the letter stays.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isConflict } from '../../wire/server-errors.js';
import { storedSequence, type StreamMessage } from '../../broker/stored-message.js';
import { JobsError } from '../../errors.js';
import { bodyOf } from '../../message/compose-task.js';
import { readStoredTask, replayedRecord, type TaskMessage } from '../../record/task-record.js';
import type { Resources } from '../../resources/resources.js';
import { requireInstant } from '../../values/bounds.js';
import { carryHeaders, DeadHeader, ServerHeader, TaskHeader, type TaskHeaders } from '../../wire/headers.js';
import type { Names, TaskSubject } from '../../wire/names.js';
import { carrierOf } from '../../wire/shards.js';
import { isSameTask } from '../../wire/identity.js';
import { UNKNOWN_TASK } from '../../wire/unusable-subject.js';
import type { DeadLetter, LetterMessage, StoredLetter } from './letter.js';

export interface ReplayOptions {
  /** Replaces the payload. */
  payload?: unknown;
  /**
   * A new time after which the task is not started any more, or `never`. Without it, a letter whose time has passed is refused, because the
   * task would end as `EXPIRED`.
   */
  expires?: Date | 'never';
  /** Only while the task's newest letter has this sequence: it is the one that somebody has looked at. Default: whichever it is. */
  ifSequence?: number;
}

/** Less than a lock waits for a replay. */
const PUBLISH_DEADLINE_MS = 15_000;
/** How long the message of a letter may outlive the letter's publish, in milliseconds, before its worker is taken for dead. */
const LAST_ACK_MS = 2_000;
const LOOK_EVERY_MS = 20;

const ENDED_WITH_ITS_LIFE = [
  ...Object.values(DeadHeader),
  TaskHeader.Retries,
  TaskHeader.Snoozes,
  TaskHeader.History,
  // Of the new life, the broker says when it began.
  TaskHeader.EnqueuedAt,
  TaskHeader.NotBefore,
  TaskHeader.FreshId,
];

export class Replayer {
  constructor(
    private readonly resources: Resources,
    /** Removes the letter of a sequence from the stream. */
    private readonly remove: (sequence: number) => Promise<unknown> = (sequence) =>
      resources.streams.delete(resources.names.deadStream, sequence),
  ) {}

  /**
   * The letter is gone afterwards; its entry in the index is the caller's to remove.
   * @throws JobsError `dead_letter_expired`, `payload_omitted`, `unique_key_held`, `publish_conflict`, `dead_letter_changed`,
   *   `invalid_options`: the letter stays
   */
  async replay(stored: StoredLetter, options: ReplayOptions): Promise<void> {
    const { letter, message, own } = stored;
    const target = this.targetOf(letter, message);
    const expires = await this.expiryOf(letter, own, options);
    const body = this.bodyOf(letter, message, options);
    const replaced = options.payload === undefined ? undefined : body;
    const enqueuedAt =
      (await this.earlierReplay(letter, target, replaced)) ??
      (await this.publish(stored, target, { body, replaced }, expires));
    // Unless the task has started meanwhile: then its record is further.
    if (enqueuedAt !== undefined)
      await this.resources.records.replace(
        target,
        (standing) => standing && replayedRecord(standing, enqueuedAt),
      );
    if (own.workflow !== undefined) await this.resources.workflows.stepReplayed(own.workflow, target);
    await this.remove(letter.sequence);
  }

  private targetOf(letter: DeadLetter, { headers }: LetterMessage): TaskSubject {
    const replayTo = headers?.get(DeadHeader.Subject) ?? '';
    const { names } = this.resources;
    const subject = names.parseTaskSubject(replayTo);
    // Shards may have come and gone since.
    if (subject !== undefined) return { ...subject, shard: names.shardFor(subject.queue, subject.id) };
    const { queue, priority, tenant, task, id } = letter;
    // Of a message with an unusable subject the letter has made what could be made of it.
    if (task !== UNKNOWN_TASK && replayTo !== '')
      return { queue, shard: names.shardFor(queue, id), priority, tenant: tenant ?? undefined, task, id };
    throw new JobsError(
      'invalid_options',
      `The dead letter of "${id}" does not say which task it was. Publish the task again under its subject, then discard the letter.`,
      { details: { id } },
    );
  }

  private async expiryOf(
    { id }: DeadLetter,
    { expires }: TaskHeaders,
    { expires: given }: ReplayOptions,
  ): Promise<Date | undefined> {
    if (given === 'never') return undefined;
    const time = given === undefined ? expires : requireInstant('expires', given);
    // By the clock that its worker will judge by.
    if (time === undefined || time > (await this.resources.producerTime.now())) return time;
    throw new JobsError(
      'dead_letter_expired',
      `The dead letter of "${id}" expired at ${time.toISOString()}: replayed, its task would not start. Give a later time as expires, or "never".`,
      { details: { id, expires: time.toISOString() } },
    );
  }

  private bodyOf(letter: DeadLetter, { data }: LetterMessage, { payload }: ReplayOptions): Uint8Array {
    if (payload === undefined) {
      const omitted = omittedBytes(letter.payload);
      if (omitted === undefined) return data;
      throw new JobsError(
        'payload_omitted',
        `The dead letter of "${letter.id}" has no payload: its ${omitted} bytes left no room for headers. Give the payload to replay it.`,
        { details: { id: letter.id, omittedBytes: omitted } },
      );
    }
    const body = Buffer.from(bodyOf(letter.task, payload));
    const limit = this.resources.maxPayloadBytes;
    if (body.length <= limit) return body;
    throw new JobsError('payload_too_large', `payload is larger than the limit of ${limit} bytes.`, {
      details: { task: letter.task, limit },
    });
  }

  /** Returns when the new life began; `undefined` if it has ended already. */
  private async publish(
    { letter, message, own }: StoredLetter,
    target: TaskSubject,
    { body, replaced }: { body: Uint8Array; replaced: Uint8Array | undefined },
    expires: Date | undefined,
  ): Promise<string | undefined> {
    const { names, publisher, streams } = this.resources;
    const headers = carryHeaders(message.headers);
    for (const name of ENDED_WITH_ITS_LIFE) headers.delete(name);
    if (expires === undefined) headers.delete(TaskHeader.Expires);
    else headers.set(TaskHeader.Expires, expires.toISOString());
    headers.set(TaskHeader.ReplayOf, String(letter.sequence));
    headers.set(ServerHeader.MsgId, `${letter.id}.replay-${letter.sequence}`);
    headers.set(ServerHeader.ExpectedLastSubjectSequence, '0');
    const key = await this.takeKey(target, own);
    const subject = names.taskSubject(target);
    let sequence: number;
    try {
      const ack = await publisher.publish(subject, body, { headers, deadlineMs: PUBLISH_DEADLINE_MS });
      sequence = ack.sequence;
      // The broker has kept the message of an earlier replay in place of this one.
      if (ack.duplicate && replaced !== undefined) await this.requireBody(letter, target, sequence, replaced);
    } catch (error) {
      // Somebody else replays the same letter, or an acknowledgement was lost.
      const earlier = isConflict(error) ? await this.earlierReplay(letter, target, replaced) : undefined;
      if (earlier !== undefined) return earlier;
      if (key !== undefined && isCertain(error))
        await this.resources.locks.release(key, target).catch(() => undefined);
      throw error;
    }
    if (own.uniqueFor !== undefined && key !== undefined) await this.resources.locks.confirm(key, letter.id);
    // A later message of the subject says that this one has ended.
    const stored = await streams.newest(names.queueStream(carrierOf(target)), subject);
    if (stored === undefined || storedSequence(stored) !== sequence) return undefined;
    return readStoredTask(names, stored)?.enqueuedAt;
  }

  /** Takes the unique key that the task has had. Returns it, or `undefined` without one. */
  private async takeKey(
    target: TaskSubject,
    { uniqueKey, uniqueFor }: TaskHeaders,
  ): Promise<string | undefined> {
    const key = uniqueKey ?? uniqueFor?.key;
    if (key === undefined) return undefined;
    const { id } = target;
    const { locks, lookup, producerTime, records } = this.resources;
    const until =
      uniqueFor === undefined ? undefined : (await producerTime.now()).getTime() + uniqueFor.forMs;
    const endedLife = (await records.read(target))?.record.enqueued_at ?? null;
    const holder = await locks.take(
      { key, holder: target, until, endedLife },
      ({ id: other, queue, task }, tenant) => lookup.status(other, { queue, task, tenant }),
    );
    if (holder.state === 'own') return key;
    throw new JobsError(
      'unique_key_held',
      `The dead letter of "${id}" cannot be replayed now: task "${holder.id}" holds its unique key. Replay it once that task has ended.`,
      { details: { id, holder: holder.id } },
    );
  }

  /** @throws JobsError `dead_letter_changed` unless the message, if it is still there, has this body */
  private async requireBody(
    { id }: DeadLetter,
    target: TaskSubject,
    sequence: number,
    body: Uint8Array,
  ): Promise<void> {
    const { names, streams } = this.resources;
    const stored = await streams.get(names.queueStream(carrierOf(target)), { seq: sequence });
    if (stored === undefined || !isSameBody(stored, body)) throw replayedOtherwise(id);
  }

  /**
   * When an earlier replay of this very letter, cut short after its publish, enqueued the task; `undefined` when no message of the task waits.
   * @param replaced the new payload, if there is one
   * @throws JobsError `publish_conflict` when another message of the task waits, in any lane or for a retry; `dead_letter_changed` when the
   *   earlier replay had another payload
   */
  private async earlierReplay(
    letter: DeadLetter,
    target: TaskSubject,
    replaced: Uint8Array | undefined,
  ): Promise<string | undefined> {
    const { id } = letter;
    if (!(await this.isWaiting(target))) return undefined;
    const until = performance.now() + LAST_ACK_MS;
    let found = await this.waitingMessage(target);
    while (found !== undefined && isOwnMessage(letter, found.task) && performance.now() < until) {
      await delay(LOOK_EVERY_MS);
      found = await this.waitingMessage(target);
    }
    if (found === undefined) return undefined;
    const { message, task } = found;
    if (task.headers.replayOf === letter.sequence) {
      if (replaced !== undefined && !isSameBody(message, replaced)) throw replayedOtherwise(id);
      return task.enqueuedAt;
    }
    throw new JobsError(
      'publish_conflict',
      `The dead letter of "${id}" cannot be replayed now: a task of that id is queued or running. Replay it once that task has ended.`,
      { details: { id, sequence: storedSequence(message) } },
    );
  }

  /** Whether any message of the task's id waits: of one letter in thousands. */
  private async isWaiting(target: TaskSubject): Promise<boolean> {
    const { names, streams } = this.resources;
    const found = await Promise.all(
      names.carriers(target.queue).flatMap((carrier) => {
        const stream = names.queueStream(carrier);
        return [
          streams.newest(stream, subjectIn(names, carrier, target)),
          streams.newest(stream, names.delayedSubject(carrier, target.id)),
        ];
      }),
    );
    return found.some((message) => message !== undefined);
  }

  private async waitingMessage(
    target: TaskSubject,
  ): Promise<{ message: StreamMessage; task: TaskMessage } | undefined> {
    const { names, streams } = this.resources;
    const found = await Promise.all(
      names.carriers(target.queue).flatMap((carrier) => {
        const stream = names.queueStream(carrier);
        return [
          streams.get(stream, { seq: 1, next_by_subj: subjectIn(names, carrier, target) }),
          streams.get(stream, { last_by_subj: names.delayedSubject(carrier, target.id) }),
        ];
      }),
    );
    const message = found.find((each) => each !== undefined);
    const task = message && readStoredTask(names, message);
    if (message === undefined || task === undefined || !isSameTask(task.subject, target)) return undefined;
    return { message, task };
  }
}

/** Of the task in any lane of one part of its queue. */
function subjectIn(names: Names, carrier: string, { tenant, task, id }: TaskSubject): string {
  return names.taskSubject({ queue: carrier, priority: '*', tenant, task, id });
}

function isSameBody({ data }: StreamMessage, body: Uint8Array): boolean {
  return Buffer.compare(data, body) === 0;
}

function replayedOtherwise(id: string): JobsError {
  return new JobsError(
    'dead_letter_changed',
    `The dead letter of "${id}" has been replayed meanwhile, with another payload.`,
    { details: { id } },
  );
}

/** The message that has become the letter: its worker acknowledges it after it has published the letter. */
function isOwnMessage({ enqueuedAt, attempts }: DeadLetter, task: TaskMessage): boolean {
  return task.enqueuedAt === enqueuedAt && task.headers.retries + 1 === attempts;
}

export function indexEntryOf({ tenant, reason, queue, task, sequence }: DeadLetter): {
  tenant: string | undefined;
  reason: string;
  queue: string;
  task: string;
  sequence: number;
} {
  return { tenant: tenant ?? undefined, reason, queue, task, sequence };
}

/** Of a payload that was too large to keep. */
function omittedBytes(payload: unknown): number | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined;
  const [[name, value] = [], ...others] = Object.entries(payload);
  return name === 'omitted_bytes' && typeof value === 'number' && others.length === 0 ? value : undefined;
}

/** The task is not stored. */
function isCertain(error: unknown): boolean {
  return error instanceof JobsError && error.code === 'topology_missing';
}
