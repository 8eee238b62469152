/** OpenTelemetry spans by the semantic conventions for messaging: one for enqueueing a task, one for each attempt. */
import { createRequire } from 'node:module';
import type * as OpenTelemetry from '@opentelemetry/api';
import { JobsError } from '../errors.js';
import type { TaskRecord } from '../wire/record.js';
import { textOf } from '../values/any-value.js';
import { contain } from '../values/contain.js';
import { formatTraceContext, parseTraceContext, type TraceContext } from './trace-context.js';
import type { Tracer } from './tracer.js';

type Api = typeof OpenTelemetry;
type Context = OpenTelemetry.Context;
type Span = OpenTelemetry.Span;

interface TracedTask {
  id: string;
  task: string;
  queue: string;
  tenant: string | null | undefined;
}

/** The span of an attempt and its children. */
export interface AttemptSpan {
  /** The context for tasks that the attempt enqueues. */
  readonly traceContext: TraceContext | undefined;
  /** Runs the handler, so that its spans become children of the attempt's span. */
  run<T>(work: () => T): T;
  end(record: TaskRecord): void;
}

export class Tracing {
  private readonly tracer: OpenTelemetry.Tracer;
  private readonly api: Api;

  /** @throws JobsError `invalid_options` where `@opentelemetry/api` is not installed */
  constructor(tracer: Tracer) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the public type names only what the package's users must know
    this.tracer = tracer as OpenTelemetry.Tracer;
    this.api = loadApi();
  }

  /** Wraps the publication of a task. `send` receives the trace context for the message. */
  async send<T>(
    task: TracedTask,
    parent: TraceContext | undefined,
    send: (carried: TraceContext | undefined) => Promise<T>,
  ): Promise<T> {
    const started = contain(() => {
      const context = this.contextOf(parent) ?? this.api.context.active();
      const span = this.start(`${task.task} send`, this.api.SpanKind.PRODUCER, task, context);
      return { span, carried: formatTraceContext(span.spanContext()) ?? parent };
    }, ignore);
    if (started === undefined) return send(parent);
    const { span, carried } = started;
    try {
      return await send(carried);
    } catch (error) {
      contain(() => this.fail(span, toException(error)), ignore);
      throw error;
    } finally {
      contain(() => span.end(), ignore);
    }
  }

  /** `undefined` where the tracer fails: an attempt does not depend on it. */
  startAttempt(record: TaskRecord, carried: TraceContext | undefined): AttemptSpan | undefined {
    return contain(() => this.spanOf(record, carried), ignore);
  }

  private spanOf(record: TaskRecord, carried: TraceContext | undefined): AttemptSpan {
    const parent = this.contextOf(carried) ?? this.api.ROOT_CONTEXT;
    const span = this.start(`${record.task} process`, this.api.SpanKind.CONSUMER, record, parent);
    span.setAttribute('stratum.retries', record.retries);
    const inner = this.api.trace.setSpan(parent, span);
    return {
      traceContext: formatTraceContext(span.spanContext()) ?? carried,
      run: (work) => this.api.context.with(inner, work),
      end: (final) => contain(() => this.endSpan(span, final), ignore),
    };
  }

  private endSpan(span: Span, final: TaskRecord): void {
    span.setAttribute('stratum.state', final.state);
    if (final.error !== null && (final.state === 'RETRY' || final.state === 'FAILURE')) {
      const { type, message, stack } = final.error;
      this.fail(span, { name: type, message, ...(stack === null ? {} : { stack }) });
    }
    span.end();
  }

  private start(
    name: string,
    kind: OpenTelemetry.SpanKind,
    { id, task, queue, tenant }: TracedTask,
    parent: Context,
  ): Span {
    const attributes = {
      'messaging.system': 'nats',
      'messaging.operation.type': kind === this.api.SpanKind.PRODUCER ? 'send' : 'process',
      'messaging.destination.name': queue,
      'messaging.message.id': id,
      'stratum.task': task,
      ...(tenant === undefined || tenant === null ? {} : { 'stratum.tenant': tenant }),
    };
    return this.tracer.startSpan(name, { kind, attributes }, parent);
  }

  private contextOf(carried: TraceContext | undefined): Context | undefined {
    const parent = parseTraceContext(carried);
    if (parent === undefined) return undefined;
    const { trace, createTraceState, ROOT_CONTEXT } = this.api;
    const traceState = carried?.traceState;
    return trace.setSpanContext(ROOT_CONTEXT, {
      ...parent,
      isRemote: true,
      ...(traceState === undefined ? {} : { traceState: createTraceState(traceState) }),
    });
  }

  private fail(span: Span, error: { name: string; message: string; stack?: string }): void {
    span.recordException(error);
    span.setStatus({ code: this.api.SpanStatusCode.ERROR, message: error.message });
  }
}

function toException(error: unknown): { name: string; message: string } {
  const { name, message } = error instanceof Error ? error : new Error(textOf(error, 1_000));
  return { name, message };
}

/** A tracer that fails must not fail what it traces. */
function ignore(): void {}

/** Loaded by `require` only if there is a tracer, so that an application without tracing needs no OpenTelemetry. Its state is global. */
function loadApi(): Api {
  try {
    const api: Api = createRequire(import.meta.url)('@opentelemetry/api');
    return api;
  } catch (cause) {
    throw new JobsError(
      'invalid_options',
      'The option tracer needs the package @opentelemetry/api: npm install @opentelemetry/api.',
      { cause },
    );
  }
}
