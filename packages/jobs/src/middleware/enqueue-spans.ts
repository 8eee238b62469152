/** OpenTelemetry spans around enqueues. */
import type { Tracer } from '../telemetry/tracer.js';
import { Tracing } from '../telemetry/tracing.js';
import type { EnqueueMiddleware } from './enqueue-middleware.js';

type EnqueueSpans = EnqueueMiddleware & Required<Pick<EnqueueMiddleware, 'enqueue'>>;

export function enqueueSpans(tracing: Tracing): EnqueueSpans {
  return {
    name: 'tracing',
    enqueue: ({ id, task, queue, tenant, options }, next) => {
      const { traceParent, traceState } = options;
      const parent = traceParent === undefined ? undefined : { traceParent, traceState };
      return tracing.send({ id, task, queue, tenant }, parent, next);
    },
  };
}

/** The middleware of a client or an outbox, in its order. */
export function enqueueMiddleware({
  tracer,
  middleware = [],
}: {
  tracer?: Tracer | undefined;
  middleware?: readonly EnqueueMiddleware[] | undefined;
}): readonly EnqueueMiddleware[] {
  return tracer === undefined ? middleware : [enqueueSpans(new Tracing(tracer)), ...middleware];
}
