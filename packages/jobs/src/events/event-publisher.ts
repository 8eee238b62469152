/**
 * Publishes state changes to the events stream in the background. An event never makes a task wait; when the broker
 * cannot keep up, `congested` tells the worker to take on less instead of dropping events.
 *
 * Delivery is at least once: an event whose acknowledgement was lost is sent again.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import type { Logger } from 'pino';
import { AckMultiplexer } from '../connection/ack-multiplexer.js';
import type { Names } from '../wire/names.js';
import type { TaskEvent, TaskRecord } from '../wire/record.js';

/** Events on their way at once; and waiting behind them, before the worker takes on less. */
const WINDOW_SIZE = 2_048;
const CONGESTED_AT = 16_384;

export class EventPublisher {
  // A window of their own, so that results never wait behind events.
  private readonly publisher: AckMultiplexer;

  constructor(
    connection: NatsConnection,
    private readonly names: Names,
    private readonly logger: Logger,
  ) {
    this.publisher = new AckMultiplexer(connection, { windowSize: WINDOW_SIZE });
  }

  get congested(): boolean {
    return this.publisher.size > CONGESTED_AT;
  }

  emit(record: TaskRecord): void {
    const { result: _result, ...facts } = record;
    const event: TaskEvent = { ...facts, at: new Date().toISOString() };
    const subject = this.names.eventSubject(record.queue, record.task, record.state);
    this.publisher.publish(subject, JSON.stringify(event)).catch((error: unknown) => {
      this.logger.error({ err: error, id: record.id, task: record.task, state: record.state }, 'event lost');
    });
  }

  /** Waits for the events under way. */
  close(): Promise<void> {
    return this.publisher.close();
  }
}
