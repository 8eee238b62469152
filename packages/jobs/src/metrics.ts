/** Prometheus metrics: needs the peer dependency `prom-client`. */
export { collectQueueMetrics } from './client/queue-metrics.js';
export { JobsMetrics } from './telemetry/metrics.js';
