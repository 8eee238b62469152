/**
 * The broker's time for a producer, which publishes no heartbeats to correct its clock by. What is enqueued "in ten minutes" becomes due by the
 * broker's clock, so a producer whose own is wrong must not count with that.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { fieldOf } from '../values/any-value.js';
import { outboxOf } from './outbox.js';

/** Clocks drift, and are set. */
const KNOWN_FOR_MS = 60_000;
const TIMEOUT_MS = 1_000;

export class ProducerTime {
  /** Difference to the monotonic clock; `undefined`: the broker's time is not known. */
  private offset: number | undefined;
  private askAgainAt = -Infinity;
  private asking: Promise<void> | undefined;

  /** @param stream any: its description says the server's time */
  constructor(
    private readonly connection: NatsConnection,
    private readonly stream: string,
  ) {}

  /**
   * The latest that the broker's clock may show, because a task must not start early. It takes one request a minute at most; this machine's
   * clock counts when the broker does not respond, or does not allow the request.
   */
  async now(): Promise<Date> {
    if (performance.now() >= this.askAgainAt) await (this.asking ??= this.ask());
    return new Date(this.offset === undefined ? Date.now() : performance.now() + this.offset);
  }

  private async ask(): Promise<void> {
    try {
      outboxOf(this.connection).flush();
      const sentAt = performance.now();
      const subject = `$JS.API.STREAM.INFO.${this.stream}`;
      const reply = await this.connection.request(subject, '', { timeout: TIMEOUT_MS });
      const shown = Date.parse(String(fieldOf(reply.json(), 'ts')));
      // Its text is cut to whole milliseconds here.
      if (!Number.isNaN(shown)) this.offset = shown + 1 - sentAt;
    } catch {
      // What was known before is better than a clock that may be wrong.
    } finally {
      this.askAgainAt = performance.now() + KNOWN_FOR_MS;
      this.asking = undefined;
    }
  }
}
