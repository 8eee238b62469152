/** The subset of OpenTelemetry's interfaces in use, so that this package compiles without `@opentelemetry/api`. */

/** A tracer of OpenTelemetry, for example `trace.getTracer('shop')`. */
export interface Tracer {
  /** Starts a span; `context` holds its parent. */
  startSpan(name: string, options?: { kind?: number; attributes?: object }, context?: object): TracerSpan;
}

/** A span of OpenTelemetry. */
export interface TracerSpan {
  /** Its ids, as they travel with a message. */
  spanContext(): PropagatedContext;
  /** Ends it now. */
  end(): void;
}

/** The part of a span's context that travels with a message. */
export interface PropagatedContext {
  traceId: string;
  spanId: string;
  traceFlags: number;
  traceState?:
    | {
        /** The value of the `tracestate` header. */
        serialize(): string;
      }
    | undefined;
}
