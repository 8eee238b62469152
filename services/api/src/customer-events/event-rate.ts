/** How many events a source may send: a rate per second, and as many in one burst. */
interface Bucket {
  left: number;
  at: number;
}

export class EventRate {
  private readonly buckets = new Map<number, Bucket>();

  /** @param perSecond events of one source in this process */
  constructor(private readonly perSecond: number) {}

  /** Seconds to wait before trying again; `undefined`: they may come. */
  take(sourceId: number, events: number): number | undefined {
    const now = Date.now();
    const bucket = this.buckets.get(sourceId) ?? { left: this.perSecond, at: now };
    this.buckets.set(sourceId, bucket);
    bucket.left = Math.min(this.perSecond, bucket.left + ((now - bucket.at) * this.perSecond) / 1_000);
    bucket.at = now;
    if (bucket.left <= 0) return Math.max(1, Math.ceil(-bucket.left / this.perSecond));
    // A batch is taken whole: any excess is owed by later ones.
    bucket.left -= events;
    return undefined;
  }
}
