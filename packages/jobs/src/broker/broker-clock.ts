/**
 * The broker's time, for what processes on several machines agree about: their own clocks may be wrong, and may be set while they run. It
 * goes on with the monotonic clock, and is corrected by what the broker stamps. A stamp says when it was made only within bounds.
 */

/** A bound is given up after this time, in milliseconds: clocks drift. */
const TRUSTED_MS = 60_000;
/** Servers of a cluster differ by less than this, in milliseconds. */
const SAME_CLOCK_MS = 1_000;

/** Of the difference to the monotonic clock. */
interface Bound {
  offset: number;
  /** When it was found, on the monotonic clock. */
  at: number;
}

export class BrokerClock {
  /** Before the first correction it trusts this machine. */
  private lower: Bound = { offset: Date.now() - performance.now(), at: -Infinity };
  private upper = this.lower;

  /** The earliest time that it may be, in milliseconds since 1970. */
  now(): number {
    return performance.now() + this.lower.offset;
  }

  /** The latest time that it may be. */
  latest(): number {
    return performance.now() + this.upper.offset;
  }

  /** Whether it has ever been corrected. */
  get isKnown(): boolean {
    return this.upper.at > -Infinity;
  }

  /** Whether it has to be corrected again, because clocks drift. */
  get isOld(): boolean {
    return isOld(this.upper, performance.now());
  }

  /**
   * The broker stamped a message between two readings of the monotonic clock, so its difference to this one has two bounds. The highest lower
   * and the lowest upper one are kept, until others contradict them, which shows that the broker's clock was set.
   * @param stamped milliseconds since 1970
   */
  correct(sentAt: number, confirmedAt: number, stamped: number): void {
    const lower = stamped - confirmedAt;
    // Stamps are read in whole milliseconds.
    const upper = stamped + 1 - sentAt;
    const wasSet = lower > this.upper.offset || upper < this.lower.offset;
    if (wasSet || lower >= this.lower.offset || isOld(this.lower, confirmedAt))
      this.lower = { offset: lower, at: confirmedAt };
    if (wasSet || upper <= this.upper.offset || isOld(this.upper, confirmedAt))
      this.upper = { offset: upper, at: confirmedAt };
  }

  /**
   * A message was just received that the broker stamped at this time, in milliseconds since 1970: its clock has reached it. A stamp from far
   * ahead is ignored, because another server of the cluster may have made it.
   */
  reached(stamp: number): void {
    const behind = stamp - this.now();
    if (behind > 0 && behind < SAME_CLOCK_MS)
      this.lower = { offset: this.lower.offset + behind, at: this.lower.at };
  }
}

function isOld({ at }: Bound, now: number): boolean {
  return now - at >= TRUSTED_MS;
}
