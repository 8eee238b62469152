/** Extends the leases of messages in progress well inside the ack wait, so that the server does not redeliver them. */

/** Three extensions fit in an ack wait, so that two may be lost. */
const EXTENSIONS_PER_ACK_WAIT = 3;

export interface Leasable {
  working(): void;
}

export class Leases {
  /** Time of each lease's next extension, milliseconds since 1970. */
  private readonly held = new Map<Leasable, number>();
  private readonly intervalMs: number;
  private timer: NodeJS.Timeout | undefined;
  private isClosing = false;

  constructor(ackWaitMs: number) {
    this.intervalMs = ackWaitMs / EXTENSIONS_PER_ACK_WAIT;
  }

  start(): void {
    this.isClosing = false;
    // Checking more often than a lease is due spreads the extensions of messages that arrived at different times.
    this.timer ??= setInterval(() => this.extendDue(), this.intervalMs / 4);
  }

  /** Stops once nothing is held. */
  close(): void {
    this.isClosing = true;
    this.stopWhenEmpty();
  }

  hold(message: Leasable): void {
    this.held.set(message, Date.now() + this.intervalMs);
  }

  release(message: Leasable): void {
    this.held.delete(message);
    if (this.isClosing) this.stopWhenEmpty();
  }

  private stopWhenEmpty(): void {
    if (this.held.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private extendDue(): void {
    const now = Date.now();
    for (const [message, dueAt] of this.held) {
      if (now < dueAt) continue;
      message.working();
      this.held.set(message, now + this.intervalMs);
    }
  }
}
