/** The W3C trace context of a message: https://www.w3.org/TR/trace-context/ */
import { traceParent } from '../values/trace-context.js';
import type { PropagatedContext } from './tracer.js';

/** The values of the two headers. */
export interface TraceContext {
  traceParent: string;
  traceState: string | undefined;
}

/** The trace context that a message carries. */
export function traceContextOf(headers: {
  readonly traceParent: string | undefined;
  readonly traceState: string | undefined;
}): TraceContext | undefined {
  const { traceParent: parent, traceState } = headers;
  return parent === undefined ? undefined : { traceParent: parent, traceState };
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
  const [, traceId, spanId, flags] = traceParent.parse(trace?.traceParent ?? '')?.split('-') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}
