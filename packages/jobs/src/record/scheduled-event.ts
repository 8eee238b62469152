/** Reports that a task waits until it is due. One that may start at once needs no such report: its next event says since when it was ready. */
import type { StoredAck } from '../broker/publish-answer.js';
import type { ComposedMessage } from '../message/compose-task.js';
import type { Names } from '../wire/names.js';
import type { EventPublisher } from './event-publisher.js';
import { eventSourceOf } from './event-source.js';
import { readQueuedTask, waitingRecord } from './task-record.js';

/** @param ack the server's answer to the message */
export function reportScheduled(
  names: Names,
  events: EventPublisher,
  { subject, headers, body }: ComposedMessage,
  { sequence }: StoredAck,
): void {
  const task = readQueuedTask(names, { subject, headers, storedAt: new Date() });
  if (task !== undefined) events.emit(waitingRecord(task), eventSourceOf(task, body, { sequence }));
}
