/** The W3C trace context of a message: https://www.w3.org/TR/trace-context/ */
import { createTraceState, isSpanContextValid, type SpanContext } from '@opentelemetry/api';

const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** As the two headers carry it. */
export interface TraceContext {
  traceParent: string;
  traceState: string | undefined;
}

export function formatTraceContext({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const flags = traceFlags.toString(16).padStart(2, '0');
  return {
    traceParent: `00-${traceId}-${spanId}-${flags}`,
    traceState: traceState?.serialize() || undefined,
  };
}

/** `undefined` when it is not valid: then a new trace begins. */
export function parseTraceContext(trace: TraceContext | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACE_PARENT.exec(trace?.traceParent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const context: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  if (trace?.traceState !== undefined) context.traceState = createTraceState(trace.traceState);
  return isSpanContextValid(context) ? context : undefined;
}
