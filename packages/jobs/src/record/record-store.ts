/** Writes the records of attempts into the results bucket. */
import { headers as newHeaders } from '@nats-io/nats-core';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { JobsError, PublishError } from '../errors.js';
import { storedSequence, type StreamAccess } from '../broker/stream-access.js';
import { isConflict } from '../broker/server-errors.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import { isFinal, taskRecordSchema, type TaskProgress, type TaskRecord } from '../wire/record.js';
import type { Attempt } from '../worker/attempt.js';

export interface StoredRecord {
  record: TaskRecord;
  sequence: number;
}

/** `superseded`: meanwhile the task has come to its end, or further, without this attempt. */
export type Written = 'stored' | 'superseded';

const TRIES = 8;

/**
 * Every write states the sequence of the record that it replaces. So a worker that was taken for lost and comes back cannot overwrite
 * what the next one has made of the task.
 */
export class RecordStore {
  constructor(
    private readonly publisher: AckMultiplexer,
    private readonly streams: StreamAccess,
    private readonly names: Names,
    /** Largest record that is taken, in bytes. */
    private readonly maxBytes: () => number,
  ) {}

  async read(id: string): Promise<StoredRecord | undefined> {
    const message = await this.streams.get(this.names.resultStream, {
      last_by_subj: this.names.resultKey(id),
    });
    if (message === undefined) return undefined;
    return { record: taskRecordSchema.parse(message.json()), sequence: storedSequence(message) };
  }

  /** Whether the task has gone on without this attempt. */
  async isSuperseded(attempt: Attempt): Promise<boolean> {
    const stored = await this.read(attempt.record.id);
    if (stored !== undefined && supersedes(stored.record, attempt)) return true;
    attempt.recordSequence = stored?.sequence ?? 0;
    return false;
  }

  /**
   * Resolves once the attempt's record is stored, or found to be out of date.
   * @throws JobsError `invalid_result` when the result is not JSON, `payload_too_large` when it does not fit
   */
  async write(attempt: Attempt, expiresMs?: number): Promise<Written> {
    const body = this.encode(attempt.record);
    for (let tries = 0; tries < TRIES; tries++) {
      if (attempt.recordSequence === undefined) {
        const stored = await this.read(attempt.record.id);
        // The write had arrived, only its confirmation had not.
        const isOwn = stored !== undefined && JSON.stringify(stored.record) === body;
        if (stored !== undefined && !isOwn && supersedes(stored.record, attempt)) return 'superseded';
        attempt.recordSequence = stored?.sequence ?? 0;
        if (isOwn) return 'stored';
      }
      const sequence = await this.replace(attempt.record.id, body, attempt.recordSequence, expiresMs);
      attempt.recordSequence = sequence;
      if (sequence !== undefined) return 'stored';
    }
    throw new PublishError(
      'publish_conflict',
      `The record of task "${attempt.record.id}" is being fought over.`,
    );
  }

  /** Replaces the record of that sequence (0: none). Returns the new sequence, or `undefined` when another record stands there. */
  replaceRecord(record: TaskRecord, expected: number): Promise<number | undefined> {
    return this.replace(record.id, this.encode(record), expected);
  }

  private async replace(
    id: string,
    body: string,
    expected: number,
    expiresMs?: number,
  ): Promise<number | undefined> {
    const headers = newHeaders();
    headers.set(ServerHeader.ExpectedLastSubjectSequence, String(expected));
    if (expiresMs !== undefined) headers.set(ServerHeader.Ttl, `${Math.ceil(expiresMs / 1000)}s`);
    try {
      return (await this.publisher.publish(this.names.resultKey(id), body, { headers })).sequence;
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  private encode(record: TaskRecord): string {
    const body = toJson(record);
    const limit = this.maxBytes();
    // A string has at most three UTF-8 bytes per unit, so most records need no count.
    if (body.length * 3 > limit && Buffer.byteLength(body) > limit) {
      throw new JobsError(
        'payload_too_large',
        `The result of task "${record.task}" is larger than the limit of ${limit} bytes. Store the data and return its id.`,
        { details: { task: record.task, limit } },
      );
    }
    return body;
  }
}

/** Short enough for a person who looks, long enough for most tasks that do little. */
const WRITE_AFTER_MS = 50;

/**
 * The record of a running attempt, written in the background: once the attempt has run for a moment, and at each progress
 * report. A task that ends at once is spared the write. At most one write is under way; the newest state wins.
 */
export class RunningRecord {
  private writing: Promise<void> | undefined;
  private written = false;
  private dirty = false;
  private closed = false;

  constructor(
    private readonly attempt: Attempt,
    private readonly store: RecordStore,
  ) {}

  /** Something of this attempt stands in the bucket. */
  get wasWritten(): boolean {
    return this.written;
  }

  tick(now: number): void {
    if (!this.written && now - this.attempt.startedAt >= WRITE_AFTER_MS) this.write();
  }

  progress(progress: TaskProgress): void {
    this.attempt.record.progress = progress;
    this.write();
  }

  /** No write comes after this, so the final record, written next, stays the last. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.writing !== undefined) await this.writing;
  }

  private write(): void {
    if (this.closed) return;
    this.written = true;
    this.dirty = this.writing !== undefined;
    this.writing ??= this.store
      .write(this.attempt)
      .then((outcome) => {
        if (outcome === 'superseded') this.closed = true;
        return undefined;
      })
      .catch((error: unknown) => {
        this.attempt.logger.warn({ err: error }, 'the record of a running task could not be stored');
      })
      .finally(() => {
        this.writing = undefined;
        if (this.dirty) this.write();
      });
  }
}

function supersedes(stored: TaskRecord, { delivery, record }: Attempt): boolean {
  const storedLife = stored.enqueued_at ?? '';
  const ownLife = record.enqueued_at ?? '';
  if (storedLife !== ownLife) return storedLife > ownLife;
  return isFinal(stored.state) || stored.retries > delivery.headers.retries;
}

function toJson(record: TaskRecord): string {
  try {
    return JSON.stringify(record);
  } catch (cause) {
    throw new JobsError('invalid_result', `The result of task "${record.task}" cannot be written as JSON.`, {
      cause,
      details: { task: record.task },
    });
  }
}
