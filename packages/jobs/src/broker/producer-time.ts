/**
 * The broker's time for a producer, which publishes no heartbeats to correct its clock by. What is enqueued "in ten minutes" becomes due by the
 * broker's clock, so a producer whose own is wrong must not count with that.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { fieldOf } from '../values/any-value.js';
import type { BrokerClock } from './broker-clock.js';
import { outboxOf } from './outbox.js';

/** Between requests, also after one that failed. */
const ASK_EVERY_MS = 60_000;
const TIMEOUT_MS = 1_000;

export class ProducerTime {
  private askAgainAt = -Infinity;
  private asking: Promise<void> | undefined;

  /** @param stream any: its description says the server's time */
  constructor(
    private readonly connection: NatsConnection,
    private readonly stream: string,
    private readonly clock: BrokerClock,
  ) {}

  /**
   * The latest that the broker's clock may show, because a task must not start early. It takes one request a minute at most, and none where
   * heartbeats correct the clock; this machine's clock counts when the broker does not respond, or does not allow the request.
   */
  async now(): Promise<Date> {
    if (this.clock.isOld && performance.now() >= this.askAgainAt) await (this.asking ??= this.ask());
    return new Date(this.clock.isKnown ? this.clock.latest() : Date.now());
  }

  private async ask(): Promise<void> {
    try {
      outboxOf(this.connection).flush();
      const sentAt = performance.now();
      const subject = `$JS.API.STREAM.INFO.${this.stream}`;
      const reply = await this.connection.request(subject, '', { timeout: TIMEOUT_MS });
      const shown = Date.parse(String(fieldOf(reply.json(), 'ts')));
      if (!Number.isNaN(shown)) this.clock.correct(sentAt, performance.now(), shown);
    } catch {
      // What was known before is better than a clock that may be wrong.
    } finally {
      this.askAgainAt = performance.now() + ASK_EVERY_MS;
      this.asking = undefined;
    }
  }
}
