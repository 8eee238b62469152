/** A recorder of metrics that never fails its caller: it may be the user's own. */
import { contain } from '../values/contain.js';
import type { Logger } from './logger.js';
import type { MetricsRecorder } from './metrics-recorder.js';

export function guardedMetrics(metrics: MetricsRecorder, logger: Logger): MetricsRecorder {
  const report = (error: unknown): void => logger.warn({ err: error }, 'a measurement could not be recorded');
  return {
    started: (...facts) => contain(() => metrics.started(...facts), report),
    finished: (record) => contain(() => metrics.finished(record), report),
    deadLettered: (...facts) => contain(() => metrics.deadLettered(...facts), report),
    overdue: (...facts) => contain(() => metrics.overdue?.(...facts), report),
    ticks: (...facts) => contain(() => metrics.ticks(...facts), report),
    confirmed: (milliseconds) => contain(() => metrics.confirmed(milliseconds), report),
  };
}
