/** Processes the messages of one durable consumer, a few at a time, each on its own. */
import type { NatsConnection } from '@nats-io/nats-core';
import type { Logger } from '../../telemetry/logger.js';
import { outboxOf } from '../outbox.js';
import { Fetcher } from './fetcher.js';
import type { PulledMessage } from './pulled-message.js';

export interface StreamConsumerOptions {
  connection: NatsConnection;
  stream: string;
  /** Name of the durable consumer. */
  consumer: string;
  /** The consumer's, in milliseconds. */
  ackWaitMs: number;
  /** Messages processed at once. */
  concurrency: number;
  /** Acknowledges each message that it has dealt with. One that it leaves unanswered, or rejects for, is delivered again after the ack wait. */
  process: (message: PulledMessage) => Promise<void>;
  /** Called with what `process` rejects with. */
  onError: (error: unknown, message: PulledMessage) => void;
  logger: Logger;
}

export class StreamConsumer {
  private readonly fetcher: Fetcher<{ stream: string; consumer: string }>;
  private readonly processing = new Set<Promise<void>>();
  private stopping: Promise<void> | undefined;

  constructor(private readonly options: StreamConsumerOptions) {
    const { connection, stream, consumer, ackWaitMs, concurrency, logger } = options;
    this.fetcher = new Fetcher({
      connection,
      lanes: [{ stream, consumer }],
      ackWaitMs,
      capacity: () => concurrency,
      room: () => concurrency - this.processing.size,
      onMessage: (message) => this.accept(message),
      logger,
    });
  }

  /** Idempotent. */
  start(): void {
    this.fetcher.start();
  }

  /** Finishes what it has begun, then stops. Idempotent. */
  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async shutDown(): Promise<void> {
    await this.fetcher.stop();
    await Promise.all(this.processing);
    outboxOf(this.options.connection).flush();
  }

  private accept(message: PulledMessage): void {
    const work = this.options
      .process(message)
      .catch((error: unknown) => this.options.onError(error, message))
      .finally(() => {
        message.release();
        this.processing.delete(work);
        this.fetcher.wake();
      });
    this.processing.add(work);
  }
}
