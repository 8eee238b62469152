/**
 * Publishes state changes to the events stream in the background. An event never makes a task wait; when the broker
 * cannot keep up, `congested` tells the worker to take on less instead of dropping events.
 *
 * Delivery is at least once: an event whose acknowledgement was lost is sent again.
 */
import type { Logger } from '../telemetry/logger.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import type { Names } from '../wire/names.js';
import type { TaskEvent, TaskRecord } from '../wire/record.js';

/** Limits of unconfirmed and of waiting events, above which the worker takes fewer tasks. */
export const EVENT_WINDOW = 2_048;
const CONGESTED_AT = 16_384;

export class EventPublisher {
  constructor(
    private readonly publisher: AckMultiplexer,
    private readonly names: Names,
    private readonly logger: Logger,
  ) {}

  get congested(): boolean {
    return this.publisher.size > CONGESTED_AT;
  }

  emit(record: TaskRecord): void {
    const subject = this.names.eventSubject(record.queue, record.task, record.state);
    this.publisher.publishInBackground(subject, JSON.stringify(eventOf(record)), (error) => {
      this.logger.error({ err: error, id: record.id, task: record.task, state: record.state }, 'event lost');
    });
  }

  /** Another message with an id that has succeeded: it changes no state, but its outcome should be visible. */
  emitSkipped(record: TaskRecord): void {
    const subject = this.names.eventSubject(record.queue, record.task, 'skipped');
    const event = { ...eventOf(record), result: { status: 'skipped', reason: 'already_processed' } };
    this.publisher.publishInBackground(subject, JSON.stringify(event), (error) => {
      this.logger.error({ err: error, id: record.id, task: record.task }, 'event lost');
    });
  }

  /** Waits for unconfirmed events. */
  close(): Promise<void> {
    return this.publisher.close();
  }
}

/** Field by field: this is on the hot path, where copying all but one field costs several times as much. */
export function eventOf(record: TaskRecord): TaskEvent {
  return {
    id: record.id,
    task: record.task,
    queue: record.queue,
    tenant: record.tenant,
    priority: record.priority,
    state: record.state,
    retries: record.retries,
    worker: record.worker,
    error: record.error,
    progress: record.progress,
    enqueued_at: record.enqueued_at,
    started_at: record.started_at,
    finished_at: record.finished_at,
    runtime_ms: record.runtime_ms,
    parent_id: record.parent_id,
    root_id: record.root_id,
    at: record.finished_at ?? record.started_at ?? new Date().toISOString(),
  };
}
