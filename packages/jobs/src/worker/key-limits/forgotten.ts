/** Calls those who wait at a gate with a free place: whoever was to call them has died, or the limit was raised. Every worker looks. */
import type { Gates } from '../../limits/gates.js';
import type { Logger } from '../../telemetry/logger.js';
import { RegularLooks } from '../regular-looks.js';

/** Between two looks, in milliseconds; longer after a look that took long. */
const LOOK_EVERY_MS = 2_000;
const REST_TIMES = 20;

export interface ForgottenParts {
  gates: Pick<Gates, 'withFreePlaces' | 'callNext'>;
  /** Tasks with limits by key. */
  tasks: readonly string[];
  concurrencyOf: (task: string, limit: string) => () => number;
  logger: Logger;
}

export class Forgotten extends RegularLooks {
  constructor(private readonly parts: ForgottenParts) {
    super({
      everyMs: LOOK_EVERY_MS,
      restTimes: REST_TIMES,
      look: async (signal) => {
        for (const task of parts.tasks) await this.callAt(task, signal);
      },
      failed: (error) =>
        parts.logger.warn({ err: error }, 'tasks that wait at a limit by key could not be called'),
    });
  }

  private async callAt(task: string, signal: AbortSignal): Promise<void> {
    const { gates, concurrencyOf } = this.parts;
    const found = await gates.withFreePlaces(task, (limit) => concurrencyOf(task, limit)());
    for (const { gate, limit } of found) {
      if (signal.aborted) return;
      await gates.callNext(gate, concurrencyOf(task, limit));
    }
  }
}
