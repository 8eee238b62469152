/** Calls those who wait at a gate with a free place: whoever was to call them has died, or the limit was raised. Every worker looks. */
import type { Gates } from '../../limits/gates.js';
import { passed } from '../passed.js';
import type { Logger } from '../../telemetry/logger.js';

/** Between two looks, in milliseconds; longer after a look that took long. */
const LOOK_EVERY_MS = 2_000;
const LOOKING_PART = 20;

export interface ForgottenParts {
  gates: Pick<Gates, 'withFreePlaces' | 'callNext'>;
  /** Tasks with limits by key. */
  tasks: readonly string[];
  concurrencyOf: (task: string, limit: string) => () => number;
  logger: Logger;
}

export class Forgotten {
  private readonly stopping = new AbortController();
  private looking: Promise<void> | undefined;

  constructor(private readonly parts: ForgottenParts) {}

  start(): void {
    this.looking ??= this.look();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.looking;
  }

  private async look(): Promise<void> {
    const { signal } = this.stopping;
    let waitMs = LOOK_EVERY_MS;
    while (await passed(waitMs * (0.75 + Math.random() / 2), signal)) {
      const startedAt = performance.now();
      try {
        for (const task of this.parts.tasks) await this.callAt(task);
      } catch (error) {
        if (!signal.aborted)
          this.parts.logger.warn({ err: error }, 'tasks that wait at a limit by key could not be called');
      }
      waitMs = Math.max(LOOK_EVERY_MS, (performance.now() - startedAt) * LOOKING_PART);
    }
  }

  private async callAt(task: string): Promise<void> {
    const { gates, concurrencyOf } = this.parts;
    const found = await gates.withFreePlaces(task, (limit) => concurrencyOf(task, limit)());
    for (const { gate, limit } of found) {
      if (this.stopping.signal.aborted) return;
      await gates.callNext(gate, concurrencyOf(task, limit));
    }
  }
}
