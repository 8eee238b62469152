/**
 * The broker's time, for what processes on several machines agree about: their own clocks may be wrong, and may be set while they run. It
 * goes on with the monotonic clock, and is corrected by what the broker stamps.
 */

/** A correction that is less exact than the last one is taken after this time, in milliseconds: clocks drift. */
const TRUSTED_MS = 60_000;

export class BrokerClock {
  /** Difference to the monotonic clock; before the first correction it trusts this machine. */
  private offset = Date.now() - performance.now();
  private uncertainty = Infinity;
  private correctedAt = 0;

  /** Milliseconds since 1970. */
  now(): number {
    return performance.now() + this.offset;
  }

  /**
   * The broker stamped a message between two readings of the monotonic clock. Its clock showed at least the stamp when the confirmation came:
   * the earliest possible time is taken, because a task must not start early.
   * @param stamped milliseconds since 1970
   */
  correct(sentAt: number, confirmedAt: number, stamped: number): void {
    const uncertainty = confirmedAt - sentAt;
    if (uncertainty > this.uncertainty && confirmedAt - this.correctedAt < TRUSTED_MS) return;
    this.offset = stamped - confirmedAt;
    this.uncertainty = uncertainty;
    this.correctedAt = confirmedAt;
  }
}
