/** One task as a worker received it. */
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import { enqueueTime, readTaskHeaders, type TaskHeaders } from '../wire/headers.js';
import type { Names, TaskSubject } from '../wire/names.js';

export interface Delivery {
  readonly subject: TaskSubject;
  readonly headers: Readonly<TaskHeaders>;
  readonly message: PulledMessage;
  /** Deliveries of this attempt, 1 the first time. */
  readonly deliveries: number;
  /** When the task was first accepted, RFC 3339. */
  readonly enqueuedAt: string;
  /** When this attempt could start, milliseconds since 1970. */
  readonly readyAt: number;
}

/** `undefined` for a message that is not a task's. */
export function readDelivery(names: Names, message: PulledMessage): Delivery | undefined {
  const subject = names.parseTaskSubject(message.subject);
  if (subject === undefined) return undefined;
  const headers = readTaskHeaders(message.headers);
  const enqueuedAt = enqueueTime(headers.enqueuedAt, message.storedAt);
  const readyAt = Math.max(headers.notBefore, message.storedAt);
  const deliveries = headers.deliveries + message.deliveries;
  return { subject, headers, message, deliveries, enqueuedAt, readyAt };
}
