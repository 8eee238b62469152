/** How far the history is behind the stream of events. Under a steady load there is always an event that it has not read yet. */

/** How much time of the broker's past may be remembered; older samples tell the same. */
const MAX_REMEMBERED = 1_000;

export class HistoryLag {
  /** Samples whose newest event the history has not reached, the oldest first. */
  private unreached: { at: number; streamLast: number }[] = [];

  /**
   * @param sample the newest: when it was taken, and the last event that was in the stream then
   * @param sequence of the last event that the history shows
   */
  note({ at, streamLast }: { at: Date; streamLast: number }, sequence: number): void {
    // Of a stream that was made anew the numbers begin again.
    this.unreached = this.unreached.filter(
      (each) => each.streamLast > sequence && each.streamLast <= streamLast,
    );
    const newest = this.unreached.at(-1);
    if (streamLast <= sequence || newest?.at === at.getTime()) return;
    if (this.unreached.length < MAX_REMEMBERED) this.unreached.push({ at: at.getTime(), streamLast });
  }

  /** For how long it has not shown what was there, in milliseconds; 0: it shows everything up to the newest sample. */
  behindMs(now: number): number {
    const [oldest] = this.unreached;
    return oldest === undefined ? 0 : Math.max(0, now - oldest.at);
  }
}
