/**
 * Follows the newest message of every subject of a stream: first those that are stored, then each new one. The consumer is opened anew,
 * and everything read again, after each reconnect and whenever anything about it is irregular: it was deleted, heartbeats are missing, or
 * messages were skipped, as after a restore of the stream. The client library's ordered consumer resumes by itself, but counts messages of
 * its lost requests as outstanding, and is deaf until they expire.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  DeliverPolicy,
  jetstream,
  type Consumer,
  type ConsumerMessages,
  type JsMsg,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Logger } from '../telemetry/logger.js';
import { ServerHeader } from '../wire/headers.js';
import { eventsOf } from './connection-events.js';

export interface StreamFollowerOptions {
  connection: NatsConnection;
  stream: string;
  /** Subjects, with wild cards. */
  filters: readonly string[];
  /** The newest message of a subject; `undefined` when the stream no longer holds one. */
  onChange: (subject: string, message: JsMsg | undefined) => void;
  /** Called when `isCurrent` has changed. */
  onCurrent?: (isCurrent: boolean) => void;
  logger: Logger;
}

/** Notices of a consumer that goes on as it should. */
const REGULAR: ReadonlySet<string> = new Set(['debug', 'discard', 'next', 'heartbeat', 'flow_control']);
const REQUEST_TIMEOUT_MS = 2_000;
const HEART_BEAT_MS = 2_000;
const RETRY_MS = 250;
const BATCH = 1_000;
/** Interval at which a first reading without new messages is looked into, in milliseconds. */
const LOOK_MS = 1_000;

export class StreamFollower {
  /** Identity of the newest message of each subject, without those that expire by themselves. */
  private known = new Map<string, string>();
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private current = false;
  private announce: () => void = () => undefined;
  private readonly caughtUp = new Promise<void>((resolve) => (this.announce = resolve));

  constructor(private readonly options: StreamFollowerOptions) {}

  /** Whether all that was stored when it was opened, or opened anew, has been reported. */
  get isCurrent(): boolean {
    return this.current;
  }

  /** Resolves once what is stored has been reported, or the follower has ended. Retries while the broker is unreachable. Idempotent. */
  async start(): Promise<void> {
    this.running ??= this.run();
    await Promise.race([this.caughtUp, this.running]);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  /** Until it is stopped, or the connection is closed for good. */
  private async run(): Promise<void> {
    const { connection, stream, logger } = this.options;
    const { closed } = eventsOf(connection);
    const ended = AbortSignal.any([this.stopped.signal, closed]);
    let isReported = false;
    while (!ended.aborted) {
      try {
        await this.follow(ended);
        isReported = false;
      } catch (error) {
        if (!ended.aborted && !isReported)
          logger.warn({ err: error, stream }, 'a stream cannot be followed, trying again');
        isReported = true;
        await delay(RETRY_MS, undefined, { signal: ended }).catch(() => undefined);
      }
    }
  }

  /** One consumer, from its creation to its first irregularity. */
  private async follow(ended: AbortSignal): Promise<void> {
    const { connection, stream, filters } = this.options;
    const over = new AbortController();
    const end = (): void => {
      this.becomes(false);
      over.abort();
    };
    ended.addEventListener('abort', end);
    const ignoreReconnects = eventsOf(connection).onReconnect(end);
    let consumer: Consumer | undefined;
    let messages: ConsumerMessages | undefined;
    try {
      consumer = await jetstream(connection, { timeout: REQUEST_TIMEOUT_MS }).consumers.get(stream, {
        deliver_policy: DeliverPolicy.LastPerSubject,
        filter_subjects: [...filters],
      });
      const reading = new FirstReading();
      if ((await consumer.info(true)).num_pending === 0) reading.complete();
      messages = await consumer.consume({
        max_messages: BATCH,
        idle_heartbeat: HEART_BEAT_MS,
        callback: (message) => {
          if (over.signal.aborted) return;
          this.accept(message);
          reading.note(message);
        },
      });
      void endWhenIrregular(messages, end);
      await reading.end(consumer, over.signal);
      if (!over.signal.aborted) this.finish(reading);
      await untilAborted(over.signal);
    } finally {
      end();
      ended.removeEventListener('abort', end);
      ignoreReconnects();
      void messages?.close();
      if (!connection.isClosed()) void consumer?.delete().catch(() => undefined);
    }
  }

  private accept(message: JsMsg): void {
    const { subject, seq, headers, info } = message;
    const identity = `${seq} ${info.timestampNanos}`;
    if (this.known.get(subject) === identity) return;
    if (headers?.has(ServerHeader.Ttl) === true) this.known.delete(subject);
    else this.known.set(subject, identity);
    this.report(subject, message);
  }

  /** Subjects that were known and are not stored any more have been removed meanwhile. */
  private finish(reading: FirstReading): void {
    for (const subject of this.known.keys()) {
      if (reading.has(subject)) continue;
      this.known.delete(subject);
      this.report(subject, undefined);
    }
    reading.forget();
    this.announce();
    this.becomes(true);
  }

  private becomes(isCurrent: boolean): void {
    if (isCurrent === this.current) return;
    this.current = isCurrent;
    this.options.onCurrent?.(isCurrent);
  }

  private report(subject: string, message: JsMsg | undefined): void {
    const { onChange, logger } = this.options;
    try {
      onChange(subject, message);
    } catch (error) {
      logger.error({ err: error, subject }, 'a change of a followed stream could not be applied');
    }
  }
}

/** The messages that a new consumer finds stored. */
class FirstReading {
  private readonly subjects = new Set<string>();
  private readonly done = new AbortController();
  private count = 0;

  note({ subject, info }: JsMsg): void {
    this.count++;
    if (this.done.signal.aborted) return;
    this.subjects.add(subject);
    if (info.pending === 0) this.complete();
  }

  complete(): void {
    this.done.abort();
  }

  has(subject: string): boolean {
    return this.subjects.has(subject);
  }

  forget(): void {
    this.subjects.clear();
  }

  /** A message that expires before it is delivered never arrives, so the server is asked when none has come for a while. */
  async end(consumer: Consumer, over: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([over, this.done.signal]);
    while (!signal.aborted) {
      const before = this.count;
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || this.count > before) continue;
      if ((await consumer.info()).num_pending === 0) this.complete();
    }
  }
}

async function endWhenIrregular(messages: ConsumerMessages, end: () => void): Promise<void> {
  for await (const { type } of messages.status()) if (!REGULAR.has(type)) return end();
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
