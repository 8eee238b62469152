/** Prometheus metrics: needs the peer dependency `prom-client`. */
export { collectQueueMetrics } from './client/queue-metrics.js';
export { scrapeGauges, type ScrapedGauge } from './telemetry/scraped-gauges.js';
export { JobsMetrics } from './telemetry/metrics.js';
