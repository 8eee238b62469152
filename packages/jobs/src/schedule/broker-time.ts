/**
 * The broker's time as the clock of a schedule: schedulers agree on the time, and neither a wrong clock of a machine nor a jump of it moves
 * a tick. A difference between the two is reported.
 */
import type { BrokerClock } from '../broker/broker-clock.js';
import type { Logger } from '../telemetry/logger.js';
import { REAL_CLOCK, type ScheduleClock } from './clock.js';

/** A difference that is worth a warning, in milliseconds. */
const NOTABLE_MS = 2_000;

export class BrokerTime implements ScheduleClock {
  private isNotable = false;

  constructor(
    private readonly clock: BrokerClock,
    private readonly logger: Logger,
  ) {}

  now(): number {
    return Math.floor(this.clock.now());
  }

  wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    return REAL_CLOCK.wait(milliseconds, signal);
  }

  /**
   * Corrects the clock by a message that was stored between two moments of the monotonic clock.
   * @param stamp the server's time stamp of it, in milliseconds since 1970
   */
  set(stamp: number, sentAt: number, confirmedAt: number): void {
    if (!Number.isFinite(stamp)) return;
    this.clock.correct(sentAt, confirmedAt, stamp);
    const aheadMs = Date.now() - this.now();
    const isNotable = Math.abs(aheadMs) > NOTABLE_MS;
    if (isNotable && !this.isNotable)
      this.logger.warn(
        { aheadMs },
        "this machine's clock and the broker's differ; the schedule follows the broker's",
      );
    this.isNotable = isNotable;
  }
}
