/** What surrounds enqueues and attempts, and the attempt that it sees. */
import type { EnqueueMiddleware } from '../../middleware/enqueue-middleware.js';
import type { TaskContract } from '../../task/define-task.js';
import type { TraceContext } from '../../telemetry/trace-context.js';
import type { TaskRecord } from '../../wire/record.js';
import type { TaskContext } from '../context.js';
import type { Outcome } from '../outcome.js';

/**
 * Surrounds enqueues, attempts or both. Of several, the first is the outermost. Each calls `next` once and awaits it; what it throws is the
 * error of the enqueue, or fails the attempt as if the handler had thrown it.
 */
export interface Middleware extends EnqueueMiddleware {
  /**
   * Around the handler and the check of its result, within the attempt's time limits. `next` never rejects for the handler: it resolves with
   * how the attempt is going to end.
   */
  readonly attempt?: (call: AttemptCall, next: () => Promise<AttemptEnd>) => Promise<unknown>;
}

/** An attempt that is about to call its handler. */
export interface AttemptCall {
  readonly contract: TaskContract;
  /** As it was enqueued; the contract has accepted it. */
  readonly payload: unknown;
  /** The handler's. */
  readonly context: TaskContext;
  /** The task's record as the attempt begins. */
  readonly record: TaskRecord;
  /** When the attempt could start, in milliseconds since 1970. */
  readonly readyAt: number;
  /** The trace that it belongs to. */
  readonly traceContext: TraceContext | undefined;
  /** Log lines, events and enqueued tasks of the attempt carry this trace from now on. */
  readonly carry: (traceContext: TraceContext | undefined) => void;
  /**
   * Called once when the attempt is over, with the record as it was stored. `STARTED` or `PENDING`: this attempt has decided nothing, and the
   * task runs again. What the listener throws is logged.
   */
  readonly onSettled: (listener: (record: TaskRecord) => void) => void;
}

/**
 * How an attempt is going to end. `retry`: it has failed and will be repeated after `delayMs`; `dead`: it has failed for good; `snoozed`: it
 * waits without having failed; `handed_back`: its worker stops, and another one runs it; `left_alone`: a later attempt has taken over.
 */
export type AttemptEnd = Extract<
  Outcome,
  { kind: 'succeeded' | 'retry' | 'dead' | 'snoozed' | 'revoked' | 'handed_back' | 'left_alone' }
>;
