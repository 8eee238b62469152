/** Writes the records of attempts into the results bucket. */
import type { AckMultiplexer } from '../connection/ack-multiplexer.js';
import { JobsError } from '../errors.js';
import type { Names } from '../wire/names.js';
import type { TaskProgress, TaskRecord, TaskState } from '../wire/record.js';
import type { Delivery } from './delivery.js';

/** A fresh record of what is known when an attempt begins. */
export function recordOf(delivery: Delivery, worker: string): TaskRecord {
  const { subject, headers } = delivery;
  return {
    id: subject.id,
    task: subject.task,
    queue: subject.queue,
    tenant: subject.tenant ?? null,
    priority: subject.priority,
    state: 'STARTED' satisfies TaskState,
    retries: headers.retries,
    worker,
    result: null,
    error: null,
    progress: null,
    enqueued_at: delivery.enqueuedAt,
    started_at: new Date().toISOString(),
    finished_at: null,
    runtime_ms: null,
    parent_id: headers.parentId ?? null,
    root_id: headers.rootId ?? subject.id,
  };
}

export class RecordStore {
  constructor(
    private readonly publisher: AckMultiplexer,
    private readonly names: Names,
    /** Largest record that the server takes, in bytes. */
    private readonly maxBytes: () => number,
  ) {}

  /**
   * Resolves once the record is stored.
   * @throws JobsError `invalid_result` when the result is not JSON, `payload_too_large` when it does not fit
   */
  async put(record: TaskRecord): Promise<void> {
    const body = encode(record);
    const limit = this.maxBytes();
    // A string has at most three UTF-8 bytes per unit, so most records need no count.
    if (body.length * 3 > limit && Buffer.byteLength(body) > limit) {
      throw new JobsError(
        'payload_too_large',
        `The result of task "${record.task}" is larger than the server's limit of ${limit} bytes. Store the data and return its id.`,
        { details: { task: record.task, limit } },
      );
    }
    await this.publisher.publish(this.names.resultKey(record.id), body);
  }
}

/**
 * The record of a running attempt, written in the background: once the attempt has run for a moment, and at each progress
 * report. A task that ends at once is spared the write. At most one write is under way; the newest state wins.
 */
export class RunningRecord {
  private readonly timer: NodeJS.Timeout;
  private writing: Promise<void> | undefined;
  private dirty = false;
  private closed = false;

  constructor(
    readonly record: TaskRecord,
    private readonly store: RecordStore,
    private readonly onError: (error: unknown) => void,
  ) {
    this.timer = setTimeout(() => this.write(), WRITE_AFTER_MS);
  }

  progress(progress: TaskProgress): void {
    this.record.progress = progress;
    this.write();
  }

  /** No write comes after this, so the final record, written next, stays the last. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    if (this.writing !== undefined) await this.writing;
  }

  private write(): void {
    if (this.closed) return;
    if (this.writing !== undefined) {
      this.dirty = true;
      return;
    }
    this.dirty = false;
    this.writing = this.store
      .put(this.record)
      .catch(this.onError)
      .finally(() => {
        this.writing = undefined;
        if (this.dirty) this.write();
      });
  }
}

/** Short enough for a person who looks, long enough for most tasks that do little. */
const WRITE_AFTER_MS = 50;

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
