/** Gauges that show what a part of the system says at the moment of a scrape. The part may be away. */
import { Gauge, type Registry } from 'prom-client';
import { resultWithin } from '../values/result-within.js';

/** A scraper waits for ten seconds by default. */
const READ_WITHIN_MS = 3_000;

export interface ScrapedGauge<Reading> {
  name: string;
  help: string;
  labelNames?: readonly string[];
  /** Of one reading. */
  samples: (reading: Reading) => readonly { labels?: Readonly<Record<string, string>>; value: number }[];
}

/**
 * Registers gauges that one reading fills. All of a scrape share it, and so do scrapes that come while it runs. A reading that fails or
 * takes longer than three seconds fails no scrape: the gauges then have no value, because an old one, or a zero, would look healthy.
 */
export function scrapeGauges<Reading>(
  registry: Registry,
  read: () => Promise<Reading>,
  gauges: readonly ScrapedGauge<Reading>[],
): void {
  let running: Promise<Reading | undefined> | undefined;
  const readOnce = (): Promise<Reading | undefined> => {
    running ??= read()
      .catch(() => undefined)
      .finally(() => (running = undefined));
    return running;
  };
  for (const { name, help, labelNames = [], samples } of gauges) {
    const gauge = new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect: async () => {
        const reading = await resultWithin(readOnce(), READ_WITHIN_MS);
        gauge.reset();
        if (reading === undefined) {
          // A gauge without labels shows 0 after a reset.
          if (labelNames.length === 0) gauge.remove();
          return;
        }
        for (const { labels, value } of samples(reading)) {
          if (labels === undefined) gauge.set(value);
          else gauge.set(labels, value);
        }
      },
    });
  }
}
