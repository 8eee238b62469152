/** The middleware that comes with the package. The options `tracer` and `metrics` of a worker put theirs before all others. */
import { enqueueSpans } from '../../middleware/enqueue-spans.js';
import { guardedLogger } from '../../telemetry/guarded-logger.js';
import { guardedMetrics } from '../../telemetry/guarded-metrics.js';
import type { Logger } from '../../telemetry/logger.js';
import type { MetricsRecorder } from '../../telemetry/metrics-recorder.js';
import type { Tracer } from '../../telemetry/tracer.js';
import { Tracing } from '../../telemetry/tracing.js';
import type { Middleware } from './middleware.js';

/**
 * OpenTelemetry spans of enqueues and attempts, one trace from the enqueue to all that follows from it.
 * @throws JobsError `invalid_options` where `@opentelemetry/api` is not installed
 */
export function tracingMiddleware(tracer: Tracer): Middleware {
  const tracing = new Tracing(tracer);
  return {
    ...enqueueSpans(tracing),
    attempt: (call, next) => {
      const span = tracing.startAttempt(call.record, call.traceContext);
      if (span === undefined) return next();
      call.carry(span.traceContext);
      call.onSettled((record) => span.end(record));
      return span.run(next);
    },
  };
}

/** Counts attempts that start and end. */
export function metricsMiddleware(metrics: MetricsRecorder, logger?: Logger): Middleware {
  const recorder = guardedMetrics(metrics, guardedLogger(logger));
  return {
    name: 'metrics',
    attempt: ({ record, readyAt, context, onSettled }, next) => {
      recorder.started(record, readyAt, context.deliveries);
      onSettled((ended) => recorder.finished(ended));
      return next();
    },
  };
}

export interface LoggingOptions {
  /** Of its lines. Default `info`. */
  level?: 'debug' | 'info';
  /** For enqueues; attempts write to their own logger. Default: enqueues are not logged. */
  logger?: Logger;
}

/**
 * A line for each task that is stored, and for each attempt as it starts and as it ends. Payloads are not logged. Without it a worker logs what
 * fails and what waits.
 */
export function loggingMiddleware({ level = 'info', logger }: LoggingOptions = {}): Middleware {
  const log = logger === undefined ? undefined : guardedLogger(logger);
  return {
    name: 'logging',
    enqueue: async ({ id, task, queue, tenant }, next) => {
      const { duplicate } = await next();
      log?.[level]({ id, task, queue, tenant, duplicate }, 'task enqueued');
    },
    attempt: async ({ context, readyAt, record, onSettled }, next) => {
      const waitedMs = Math.max(0, Date.parse(record.started_at ?? '') - readyAt);
      context.logger[level]({ waitedMs, deliveries: context.deliveries }, 'attempt started');
      onSettled(({ state, runtime_ms: runtimeMs }) =>
        context.logger[level]({ state, runtimeMs }, 'attempt ended'),
      );
      await next();
    },
  };
}

/** The middleware of a worker in its order: the built-in ones that its options ask for, then its own. */
export function resolveMiddleware({
  tracer,
  metrics,
  middleware = [],
  logger,
}: {
  tracer?: Tracer | undefined;
  metrics?: MetricsRecorder | undefined;
  middleware?: readonly Middleware[] | undefined;
  logger?: Logger | undefined;
}): readonly Middleware[] {
  return [
    ...(tracer === undefined ? [] : [tracingMiddleware(tracer)]),
    ...(metrics === undefined ? [] : [metricsMiddleware(metrics, logger)]),
    ...middleware,
  ];
}
