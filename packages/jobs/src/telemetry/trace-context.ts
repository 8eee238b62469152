/** The W3C trace context of a message: https://www.w3.org/TR/trace-context/ */
import { traceParent, traceState } from '../values/trace-context.js';
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
  const { traceParent: parent, traceState: state } = headers;
  return parent === undefined ? undefined : { traceParent: parent, traceState: state };
}

/** The fields of a valid `traceparent` header. */
export interface TraceParent {
  traceId: string;
  spanId: string;
  traceFlags: number;
}

/**
 * The context of a span as messages carry it. `undefined` for the all-zero one of a tracer whose SDK is not started; a state that is none is
 * left out.
 */
export function formatTraceContext({
  traceId,
  spanId,
  traceFlags,
  traceState: state,
}: PropagatedContext): TraceContext | undefined {
  const flags = traceFlags.toString(16).padStart(2, '0');
  const parent = traceParent.parse(`00-${traceId}-${spanId}-${flags}`);
  if (parent === undefined) return undefined;
  return { traceParent: parent, traceState: traceState.parse(state?.serialize() ?? '') };
}

/** Returns `undefined` for an invalid header; a new trace begins then. */
export function parseTraceContext(trace: TraceContext | undefined): TraceParent | undefined {
  const [, traceId, spanId, flags] = traceParent.parse(trace?.traceParent ?? '')?.split('-') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}
