/** The W3C trace context of a message: https://www.w3.org/TR/trace-context/ */
import type { PropagatedContext } from './tracer.js';

const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** The standard forbids all-zero ids. */
const ZEROS = /^0+$/;

/** The values of the two headers. */
export interface TraceContext {
  traceParent: string;
  traceState: string | undefined;
}

/** The trace context that a message carries. */
export function traceContextOf({
  traceParent,
  traceState,
}: {
  readonly traceParent: string | undefined;
  readonly traceState: string | undefined;
}): TraceContext | undefined {
  return traceParent === undefined ? undefined : { traceParent, traceState };
}

/** The fields of a valid `traceparent` header. */
export interface TraceParent {
  traceId: string;
  spanId: string;
  traceFlags: number;
}

export function formatTraceContext({
  traceId,
  spanId,
  traceFlags,
  traceState,
}: PropagatedContext): TraceContext {
  const flags = traceFlags.toString(16).padStart(2, '0');
  return {
    traceParent: `00-${traceId}-${spanId}-${flags}`,
    traceState: traceState?.serialize() || undefined,
  };
}

/** Returns `undefined` for an invalid header; a new trace begins then. */
export function parseTraceContext(trace: TraceContext | undefined): TraceParent | undefined {
  const [, traceId, spanId, flags] = TRACE_PARENT.exec(trace?.traceParent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}
