/**
 * The record of a running attempt, written in the background: once the attempt has run for a moment, and at each progress
 * report. The first write comes with an event. A task that ends quickly costs neither: its end says when it started. At most one write is
 * in progress; the newest state wins.
 */
import type { Logger } from '../telemetry/logger.js';
import type { TaskProgress, TaskRecord } from '../wire/record.js';
import type { EventPublisher } from './event-publisher.js';
import type { EventSource } from './event-source.js';
import type { RecordSlot, RecordStore } from './record-store.js';

/** Short enough for people, and longer than most small tasks. */
const WRITE_AFTER_MS = 50;

/** The parts of an attempt that its record needs. */
export interface RunningAttempt {
  readonly record: TaskRecord;
  readonly slot: RecordSlot;
  /** On the monotonic clock, in milliseconds. */
  readonly startedTick: number;
  readonly logger: Logger;
  readonly eventSource: EventSource;
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
    private readonly events: EventPublisher,
  ) {}

  tick(now: number): void {
    if (!this.written && now - this.attempt.startedTick >= WRITE_AFTER_MS) this.write();
  }

  progress(progress: TaskProgress): void {
    this.attempt.become({ ...this.attempt.record, progress });
    this.write();
  }

  /** Stops writing, so that the final record is the last one. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.writing !== undefined) await this.writing;
  }

  private write(): void {
    if (this.closed) return;
    if (!this.written) this.events.emit(this.attempt.record, this.attempt.eventSource);
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
