/** OpenTelemetry spans: one where a task is enqueued, one for each attempt, after the semantic conventions for messaging. */
import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import type { TaskRecord } from '../wire/record.js';
import { formatTraceContext, parseTraceContext, type TraceContext } from './trace-context.js';

interface TracedTask {
  id: string;
  task: string;
  queue: string;
  tenant: string | null | undefined;
}

/** The span of an attempt, and what hangs under it. */
export interface AttemptSpan {
  /** For what the attempt enqueues. */
  readonly traceContext: TraceContext;
  /** Runs the handler so that spans it starts hang under the attempt's. */
  run<T>(work: () => T): T;
  end(record: TaskRecord): void;
}

export class Tracing {
  constructor(private readonly tracer: Tracer) {}

  /** Around the storing of a task; the context that `send` is given goes on the message. */
  async send<T>(
    task: TracedTask,
    parent: TraceContext | undefined,
    send: (carried: TraceContext) => Promise<T>,
  ): Promise<T> {
    const span = this.start(
      `${task.task} send`,
      SpanKind.PRODUCER,
      task,
      contextOf(parent) ?? context.active(),
    );
    try {
      return await send(formatTraceContext(span.spanContext()));
    } catch (error) {
      fail(span, error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      span.end();
    }
  }

  startAttempt(record: TaskRecord, carried: TraceContext | undefined): AttemptSpan {
    const parent = contextOf(carried) ?? ROOT_CONTEXT;
    const span = this.start(`${record.task} process`, SpanKind.CONSUMER, record, parent);
    span.setAttribute('stratum.retries', record.retries);
    const inner = trace.setSpan(parent, span);
    return {
      traceContext: formatTraceContext(span.spanContext()),
      run: (work) => context.with(inner, work),
      end: (final) => {
        span.setAttribute('stratum.state', final.state);
        if (final.error !== null && (final.state === 'RETRY' || final.state === 'FAILURE')) {
          const { type, message, stack } = final.error;
          fail(span, { name: type, message, ...(stack === null ? {} : { stack }) });
        }
        span.end();
      },
    };
  }

  private start(
    name: string,
    kind: SpanKind,
    { id, task, queue, tenant }: TracedTask,
    parent: Context,
  ): Span {
    const attributes = {
      'messaging.system': 'nats',
      'messaging.operation.type': kind === SpanKind.PRODUCER ? 'send' : 'process',
      'messaging.destination.name': queue,
      'messaging.message.id': id,
      'stratum.task': task,
      ...(tenant === undefined || tenant === null ? {} : { 'stratum.tenant': tenant }),
    };
    return this.tracer.startSpan(name, { kind, attributes }, parent);
  }
}

function contextOf(carried: TraceContext | undefined): Context | undefined {
  const parent = parseTraceContext(carried);
  return parent === undefined ? undefined : trace.setSpanContext(ROOT_CONTEXT, parent);
}

function fail(span: Span, error: { name: string; message: string; stack?: string }): void {
  span.recordException(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}
