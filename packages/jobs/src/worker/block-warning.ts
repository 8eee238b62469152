/** Warns, once for each task, that its handler blocks the event loop: every other task of the process waits meanwhile. */
import type { Logger } from '../telemetry/logger.js';

const BLOCKED_MS = 1_000;
const ADVICE =
  'a handler blocks the event loop; give its contract `compute: true`, so that it runs in a thread of its own';

export class BlockWarning {
  private readonly warned = new Set<string>();
  /** Tasks that have ended since the last tick. */
  private readonly ended = new Set<string>();
  private calledAt = 0;
  private tickedAt = performance.now();
  /** The block has been explained by the call of a handler. */
  private isExplained = false;

  constructor(private readonly logger: Logger) {}

  called(): void {
    this.calledAt = performance.now();
  }

  returned(task: string): void {
    const blockedMs = performance.now() - this.calledAt;
    if (blockedMs < BLOCKED_MS) return;
    this.isExplained = true;
    this.warn(task, blockedMs);
  }

  attemptEnded(task: string): void {
    this.ended.add(task);
  }

  /**
   * A handler that goes on after an await is not seen to be called. Most end with what they compute, so it is one that has ended since; else
   * it is one of those that run.
   */
  tick(now: number, running: () => Iterable<string>): void {
    const blockedMs = now - this.tickedAt;
    this.tickedAt = now;
    if (blockedMs >= BLOCKED_MS && !this.isExplained)
      for (const task of this.ended.size > 0 ? this.ended : running()) this.warn(task, blockedMs);
    this.isExplained = false;
    this.ended.clear();
  }

  private warn(task: string, blockedMs: number): void {
    if (this.warned.has(task)) return;
    this.warned.add(task);
    this.logger.warn({ task, blocked_ms: Math.round(blockedMs) }, ADVICE);
  }
}
