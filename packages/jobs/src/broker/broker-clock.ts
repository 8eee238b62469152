/**
 * The broker's time, for what processes on several machines agree about: their own clocks may be wrong, and may be set while they run. It
 * goes on with the monotonic clock, and is corrected by what the broker stamps.
 */

/** A bound is given up after this time, in milliseconds: clocks drift. */
const TRUSTED_MS = 60_000;
/** Servers of a cluster differ by less than this, in milliseconds. */
const SAME_CLOCK_MS = 1_000;

export class BrokerClock {
  /** Difference to the monotonic clock; before the first correction it trusts this machine. */
  private offset = Date.now() - performance.now();
  private correctedAt = -Infinity;

  /** Milliseconds since 1970. */
  now(): number {
    return performance.now() + this.offset;
  }

  /**
   * The broker stamped a message between two readings of the monotonic clock, so its difference to this one has two bounds. The clock shows
   * the earliest possible time, because a task must not start early: the highest of the lower bounds, until an upper bound contradicts it,
   * which shows that the broker's clock was set.
   * @param stamped milliseconds since 1970
   */
  correct(sentAt: number, confirmedAt: number, stamped: number): void {
    const lower = stamped - confirmedAt;
    // Stamps are read in whole milliseconds.
    const upper = stamped + 1 - sentAt;
    const isTrusted = confirmedAt - this.correctedAt < TRUSTED_MS && this.offset <= upper;
    if (isTrusted && lower < this.offset) return;
    this.offset = lower;
    this.correctedAt = confirmedAt;
  }

  /**
   * A message was just received that the broker stamped at this time, in milliseconds since 1970: its clock has reached it. A stamp from far
   * ahead is ignored, because another server of the cluster may have made it.
   */
  reached(stamp: number): void {
    const behind = stamp - this.now();
    if (behind > 0 && behind < SAME_CLOCK_MS) this.offset += behind;
  }
}
