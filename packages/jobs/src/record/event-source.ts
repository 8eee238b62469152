/** What an event says beside a task's record. */
import type { ReportedSteps } from '../wire/event.js';
import { parseTraceContext, traceContextOf } from '../telemetry/trace-context.js';
import type { TaskMessage } from './task-record.js';

/** The message that an event is about. */
export interface EventSource {
  readonly task: TaskMessage;
  /** Its sequence in the queue's stream. `undefined`: the message was never stored. */
  readonly sequence: number | undefined;
  /** Number of its delivery; `undefined`: no worker has had it. */
  readonly delivery: number | undefined;
  readonly traceId: string | undefined;
  /** The payload. */
  readonly body: string | Uint8Array;
  /** Asked once the attempt is over. */
  readonly steps?: (() => ReportedSteps | undefined) | undefined;
}

/** For a program that does not run the task. */
export function eventSourceOf(
  task: TaskMessage,
  body: string | Uint8Array,
  { sequence, delivery }: { sequence?: number; delivery?: number } = {},
): EventSource {
  const traceId = parseTraceContext(traceContextOf(task.headers))?.traceId;
  return { task, sequence, delivery, traceId, body };
}
