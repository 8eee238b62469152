/** The text of `/metrics`. A scrape that fails hides everything just when it is needed, so none does. */
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
    const texts = await Promise.all(
      registry.getMetricsAsArray().map(({ name }) => inTime(() => registry.getSingleMetricAsString(name))),
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

async function inTime(read: () => Promise<string>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), READ_WITHIN_MS);
  });
  try {
    return await Promise.race([read(), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
