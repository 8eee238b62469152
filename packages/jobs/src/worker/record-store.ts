/** Writes the records of attempts into the results bucket. */
import type { AckMultiplexer } from '../connection/ack-multiplexer.js';
import { headers as newHeaders } from '@nats-io/nats-core';
import { JobsError } from '../errors.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import type { TaskProgress, TaskRecord } from '../wire/record.js';
import type { Attempt } from './attempt.js';

export class RecordStore {
  constructor(
    private readonly publisher: AckMultiplexer,
    private readonly names: Names,
    /** Largest record that is taken, in bytes. */
    private readonly maxBytes: () => number,
  ) {}

  /**
   * Resolves once the record is stored.
   * @throws JobsError `invalid_result` when the result is not JSON, `payload_too_large` when it does not fit
   */
  async put(record: TaskRecord, expiresMs?: number): Promise<void> {
    const body = encode(record);
    const limit = this.maxBytes();
    // A string has at most three UTF-8 bytes per unit, so most records need no count.
    if (body.length * 3 > limit && Buffer.byteLength(body) > limit) {
      throw new JobsError(
        'payload_too_large',
        `The result of task "${record.task}" is larger than the limit of ${limit} bytes. Store the data and return its id.`,
        { details: { task: record.task, limit } },
      );
    }
    const subject = this.names.resultKey(record.id);
    if (expiresMs === undefined) {
      await this.publisher.publish(subject, body);
      return;
    }
    const headers = newHeaders();
    headers.set(ServerHeader.Ttl, `${Math.ceil(expiresMs / 1000)}s`);
    await this.publisher.publish(subject, body, { headers });
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
      .put(this.attempt.record)
      .catch((error: unknown) => {
        this.attempt.logger.warn({ err: error }, 'the record of a running task could not be stored');
      })
      .finally(() => {
        this.writing = undefined;
        if (this.dirty) this.write();
      });
  }
}

function encode(record: TaskRecord): string {
  try {
    return JSON.stringify(record);
  } catch (cause) {
    throw new JobsError('invalid_result', `The result of task "${record.task}" cannot be written as JSON.`, {
      cause,
      details: { task: record.task },
    });
  }
}
