/** A look that every worker takes again and again, so that it does not matter which of them die. Chance keeps them from looking together. */
import { setTimeout as delay } from 'node:timers/promises';

export interface RegularLooksOptions {
  /** Between two looks, in milliseconds, by about a quarter more or less. */
  everyMs: number;
  /** After a look that took long, so many times as long, if that is longer. Default 0. */
  restTimes?: number;
  /** @param signal aborts when the looks are to end */
  look: (signal: AbortSignal) => Promise<void>;
  /** A look has failed; the next one comes. */
  failed: (error: unknown) => void;
}

export class RegularLooks {
  private readonly stopping = new AbortController();
  private looking: Promise<void> | undefined;

  constructor(private readonly options: RegularLooksOptions) {}

  start(): void {
    this.looking ??= this.goOn();
  }

  /** Resolves once no look is under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.looking;
  }

  private async goOn(): Promise<void> {
    const { everyMs, restTimes = 0, look, failed } = this.options;
    const { signal } = this.stopping;
    let waitMs = everyMs;
    while (await passed(waitMs * (0.75 + Math.random() / 2), signal)) {
      const startedAt = performance.now();
      try {
        await look(signal);
      } catch (error) {
        if (!signal.aborted) failed(error);
      }
      waitMs = Math.max(everyMs, (performance.now() - startedAt) * restTimes);
    }
  }
}

/** Waits for this time, in milliseconds; `false` when it is aborted first. Keeps no process alive. */
async function passed(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}
