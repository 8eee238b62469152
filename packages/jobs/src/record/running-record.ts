/**
 * The record of a running attempt, written in the background: once the attempt has run for a moment, and at each progress
 * report. A task that ends at once is spared the write. At most one write is under way; the newest state wins.
 */
import type { Logger } from '../telemetry/logger.js';
import type { TaskProgress, TaskRecord } from '../wire/record.js';
import type { RecordSlot, RecordStore } from './record-store.js';

/** Short enough for a person who looks, long enough for most tasks that do little. */
const WRITE_AFTER_MS = 50;

/** An attempt as far as its record is concerned. */
export interface RunningAttempt {
  readonly record: TaskRecord;
  readonly slot: RecordSlot;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly logger: Logger;
  become(record: TaskRecord): void;
}

export class RunningRecord {
  private writing: Promise<void> | undefined;
  private written = false;
  private dirty = false;
  private closed = false;

  constructor(
    private readonly attempt: RunningAttempt,
    private readonly store: RecordStore,
  ) {}

  tick(now: number): void {
    if (!this.written && now - this.attempt.startedAt >= WRITE_AFTER_MS) this.write();
  }

  progress(progress: TaskProgress): void {
    this.attempt.become({ ...this.attempt.record, progress });
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
    const { slot, record, logger } = this.attempt;
    this.writing ??= this.store
      .write(slot, record)
      .then((kept) => {
        if (kept !== undefined) this.closed = true;
        return undefined;
      })
      .catch((error: unknown) => {
        logger.warn({ err: error }, 'the record of a running task could not be stored');
      })
      .finally(() => {
        this.writing = undefined;
        if (this.dirty) this.write();
      });
  }
}
