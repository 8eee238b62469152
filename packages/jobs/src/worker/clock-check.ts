/** Corrects the worker's idea of the broker's time by the stamps of its own heartbeats. */
import type { StoredAck } from '../broker/publish-answer.js';
import { storedSequence } from '../broker/stored-message.js';
import type { BrokerResources } from '../resources/broker-resources.js';
import { ServerHeader } from '../wire/headers.js';

/** A worker begins without a correction after this time, in milliseconds. */
const FIRST_WITHIN_MS = 2_000;

export class ClockCheck {
  private resolve: (() => void) | undefined;
  /** Resolves after the first correction, or when it takes too long. */
  readonly first = new Promise<void>((resolve) => {
    this.resolve = resolve;
    setTimeout(resolve, FIRST_WITHIN_MS).unref();
  });

  constructor(private readonly resources: Pick<BrokerResources, 'streams' | 'clock'>) {}

  /** @param sentAt before the message was sent, on the monotonic clock. Never rejects. */
  async check(sentAt: number, { stream, sequence }: StoredAck): Promise<void> {
    const confirmedAt = performance.now();
    try {
      const stored = await this.resources.streams.get(stream, { seq: sequence });
      const stamp = Date.parse(stored?.headers?.get(ServerHeader.TimeStamp) ?? '');
      const isOurs = stored !== undefined && storedSequence(stored) === sequence && !Number.isNaN(stamp);
      if (!isOurs) return;
      this.resources.clock.correct(sentAt, confirmedAt, stamp);
      this.resolve?.();
    } catch {
      // The next heartbeat corrects it.
    }
  }
}
