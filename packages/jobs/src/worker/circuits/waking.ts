/** Calls those who wait at a circuit, once they may try the service or go on. Every worker looks, so it does not matter which of them die. */
import { freeProbes, type CircuitEntry } from '../../control/circuit.js';
import type { Circuits } from '../../circuits/circuits.js';
import type { CircuitSettings } from '../../task/breaker.js';
import type { Logger } from '../../telemetry/logger.js';
import { RegularLooks } from '../regular-looks.js';

/** Between two looks at what the worker follows, in milliseconds: the broker is asked only where there is something to do. */
const LOOK_EVERY_MS = 500;

export interface WakingParts {
  circuits: Pick<Circuits, 'callNext'>;
  known: () => ReadonlyMap<string, CircuitEntry>;
  contracts: ReadonlyMap<string, { breaker: CircuitSettings & { service: string } }>;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
  logger: Logger;
}

export class Waking extends RegularLooks {
  private readonly settings: ReadonlyMap<string, CircuitSettings>;

  constructor(private readonly parts: WakingParts) {
    super({
      everyMs: LOOK_EVERY_MS,
      look: async (signal) => {
        for (const [id, entry] of parts.known()) await this.callAt(id, entry, signal);
      },
      failed: (error) =>
        parts.logger.warn({ err: error }, 'tasks that wait for a service could not be called'),
    });
    this.settings = new Map([...parts.contracts.values()].map(({ breaker }) => [breaker.service, breaker]));
  }

  private async callAt(id: string, entry: CircuitEntry, signal: AbortSignal): Promise<void> {
    const settings = this.settings.get(entry.service);
    if (settings === undefined || signal.aborted) return;
    const isDue = entry.wake > 0 || freeProbes(entry, settings, this.parts.now()) > 0;
    if (isDue) await this.parts.circuits.callNext({ id, service: entry.service, key: entry.key, settings });
  }
}
