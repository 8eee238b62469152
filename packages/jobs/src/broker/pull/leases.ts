/** Tells the server, well inside the ack wait, that the tasks this worker holds are still being worked on. */
import type { Delivery } from '../../worker/delivery.js';

/** Three heart-beats fit in an ack wait, so that two may be lost. */
const BEATS_PER_ACK_WAIT = 3;

export class Leases {
  private readonly held = new Map<Delivery, number>();
  private readonly intervalMs: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(ackWaitMs: number) {
    this.intervalMs = ackWaitMs / BEATS_PER_ACK_WAIT;
  }

  get size(): number {
    return this.held.size;
  }

  start(): void {
    // Looking more often than a lease is due spreads the beats of tasks that arrived at different times.
    this.timer ??= setInterval(() => this.beat(), this.intervalMs / 4);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  hold(delivery: Delivery): void {
    this.held.set(delivery, delivery.receivedAt + this.intervalMs);
  }

  release(delivery: Delivery): void {
    this.held.delete(delivery);
  }

  private beat(): void {
    const now = Date.now();
    for (const [delivery, dueAt] of this.held) {
      if (now < dueAt) continue;
      delivery.extend();
      this.held.set(delivery, now + this.intervalMs);
    }
  }
}
