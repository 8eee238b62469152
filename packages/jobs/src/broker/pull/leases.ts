/**
 * Extends the leases of messages in progress well inside the ack wait, so that the server does not redeliver them, and recognises messages
 * that must not be processed: those that are held already, and those that may have gone to somebody else while the event loop was blocked.
 */

/** Three extensions fit in an ack wait, so that two may be lost. */
export const EXTENSIONS_PER_ACK_WAIT = 3;
/** A delivery that has waited in the socket for this part of the ack wait is left alone. */
const STALE_PART = 3 / 4;

export interface Leasable {
  readonly stream: string;
  /** Of the message in its stream. */
  readonly streamSequence: number;
  /** Takes the answers. */
  readonly reply: string;
  /** Still in progress: the ack wait starts anew. */
  working(): void;
}

/** Watches what is held, for a watchdog that takes over when the event loop is blocked. */
export interface LeaseWatch {
  hold(message: Leasable): void;
  release(message: Leasable): void;
}

export class Leases {
  /** When each lease is to be extended next, on the monotonic clock. */
  private readonly held = new Map<Leasable, number>();
  /** The sequences of the held messages, by stream. */
  private readonly sequences = new Map<string, Set<number>>();
  private readonly intervalMs: number;
  private readonly staleMs: number;
  private timer: NodeJS.Timeout | undefined;
  private isClosing = false;
  private lookedAt = performance.now();
  private isCatchingUp = false;

  constructor(
    ackWaitMs: number,
    /** Resolves once everything that the server has sent so far has been received. */
    private readonly caughtUp: () => Promise<void>,
    private readonly watch?: LeaseWatch,
  ) {
    this.intervalMs = ackWaitMs / EXTENSIONS_PER_ACK_WAIT;
    this.staleMs = ackWaitMs * STALE_PART;
  }

  start(): void {
    this.isClosing = false;
    this.lookedAt = performance.now();
    // Checking more often than a lease is due spreads the extensions of messages that arrived at different times.
    this.timer ??= setInterval(() => this.extendDue(), this.intervalMs / 4);
  }

  /** Stops once nothing is held. */
  close(): void {
    this.isClosing = true;
    this.stopWhenEmpty();
  }

  /** This process holds the message already: the server has delivered it anew because no extension reached it. */
  isHeld({ stream, streamSequence }: Leasable): boolean {
    return this.sequences.get(stream)?.has(streamSequence) === true;
  }

  /** What arrives now may have waited in the socket while the event loop was blocked, and somebody else may have it by now. */
  get isStale(): boolean {
    return this.isCatchingUp || performance.now() - this.lookedAt > this.staleMs;
  }

  hold(message: Leasable): void {
    // It may have waited in the socket since the last look.
    this.held.set(message, this.lookedAt + this.intervalMs);
    let sequences = this.sequences.get(message.stream);
    if (sequences === undefined) this.sequences.set(message.stream, (sequences = new Set()));
    sequences.add(message.streamSequence);
    this.watch?.hold(message);
  }

  release(message: Leasable): void {
    if (!this.held.delete(message)) return;
    this.sequences.get(message.stream)?.delete(message.streamSequence);
    this.watch?.release(message);
    if (this.isClosing) this.stopWhenEmpty();
  }

  private stopWhenEmpty(): void {
    if (this.held.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private extendDue(): void {
    const now = performance.now();
    if (now - this.lookedAt > this.staleMs) void this.catchUp();
    this.lookedAt = now;
    for (const [message, dueAt] of this.held) {
      if (now < dueAt) continue;
      message.working();
      this.held.set(message, now + this.intervalMs);
    }
  }

  private async catchUp(): Promise<void> {
    this.isCatchingUp = true;
    try {
      await this.caughtUp();
    } catch {
      // The connection is lost, and with it everything that was on its way.
    } finally {
      this.isCatchingUp = false;
    }
  }
}
