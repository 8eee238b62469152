/** How the lines and gates of keys and services know a task. */
import type { WaitingTask } from '../limits/waiting-line.js';
import { NO_TENANT, type TaskSubject } from '../wire/names.js';
import type { Delivery } from './delivery.js';

export function nameInLine({ tenant, id }: Pick<TaskSubject, 'tenant' | 'id'>): string {
  return `${tenant ?? NO_TENANT}.${id}`;
}

export function placeInLine({ subject: own, message }: Delivery): WaitingTask {
  const { subject, storedAt, streamSequence } = message;
  return { task: nameInLine(own), subject, storedAt, sequence: streamSequence };
}
