/** Work that a process repeats beside its other duties until it is stopped. */
import { setTimeout as delay } from 'node:timers/promises';

export interface BackgroundLoopOptions {
  /**
   * One run. The signal aborts when the loop is stopped.
   * @returns the pause before the next run in milliseconds; by default `everyMs`
   */
  run: (signal: AbortSignal) => Promise<number | undefined>;
  /** Pause between two runs, in milliseconds. */
  everyMs: number;
  /** Pause after a run that failed, in milliseconds. Default: `everyMs`. */
  afterFailureMs?: number;
  /** Reports a run that failed. The next one comes all the same. */
  onFailure: (error: unknown) => void;
}

export class BackgroundLoop {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private isWoken = false;
  private endPause: (() => void) | undefined;

  constructor(private readonly options: BackgroundLoopOptions) {}

  /** Runs now, then after each pause. Idempotent. */
  start(): void {
    this.running ??= this.repeat();
  }

  /** The next run follows at once, or right after the one in progress. */
  wake(): void {
    this.isWoken = true;
    this.endPause?.();
  }

  /** Resolves when the run in progress has ended. Idempotent. */
  async stop(): Promise<void> {
    this.stopped.abort();
    this.endPause?.();
    await this.running;
  }

  private async repeat(): Promise<void> {
    const { run, everyMs, afterFailureMs = everyMs, onFailure } = this.options;
    const { signal } = this.stopped;
    while (!signal.aborted) {
      let pauseMs = everyMs;
      this.isWoken = false;
      try {
        pauseMs = (await run(signal)) ?? everyMs;
      } catch (error) {
        pauseMs = afterFailureMs;
        // A run that the stop has cut short did not fail.
        if (!signal.aborted) onFailure(error);
      }
      if (!this.isWoken) await this.pause(pauseMs);
    }
  }

  private async pause(milliseconds: number): Promise<void> {
    if (this.stopped.signal.aborted) return;
    const pause = new AbortController();
    this.endPause = () => pause.abort();
    await delay(milliseconds, undefined, { signal: pause.signal }).catch(() => undefined);
  }
}
