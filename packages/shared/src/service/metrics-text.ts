/** The text of `/metrics`. A scrape that fails hides everything just when it is needed, so none does. */
import { resultWithin } from '@stratum/jobs/internal';
import type { Registry } from 'prom-client';
import { shared } from '../http/shared-answer.js';

/** A scraper waits for ten seconds by default. */
const READ_WITHIN_MS = 5_000;

/**
 * Reads all metrics of a registry. One whose collector throws, or is not done within five seconds, is left out and counted in
 * `stratum_metrics_left_out`. Readers at the same time share one reading.
 */
export function metricsReader(registry: Registry): () => Promise<string> {
  return shared(async () => {
    const textOf = async (name: string): Promise<string> => registry.getSingleMetricAsString(name);
    const texts = await Promise.all(
      registry
        .getMetricsAsArray()
        .map(({ name }) => resultWithin(textOf(name), READ_WITHIN_MS).catch(() => undefined)),
    );
    const read = texts.filter((text) => text !== undefined);
    const leftOut = [
      '# HELP stratum_metrics_left_out Metrics of this process that could not be read for this scrape',
      '# TYPE stratum_metrics_left_out gauge',
      `stratum_metrics_left_out ${texts.length - read.length}`,
    ];
    return `${[...read, leftOut.join('\n')].join('\n\n')}\n`;
  });
}
