/** The dead letter of a stored message that is no task: other programs may publish to a queue. */
import type { MsgHdrs } from '@nats-io/nats-core';
import { cut } from '../values/any-value.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import { readUnusableSubject } from '../wire/unusable-subject.js';
import type { DeadTask } from './compose-dead-letter.js';

export interface StoredMessage {
  subject: string;
  headers: MsgHdrs | undefined;
  /** Milliseconds since 1970. */
  storedAt: number;
  /** Its place in its stream. */
  streamSequence: number;
}

const SHOWN_CHARACTERS = 200;

/** Of a message whose subject is not that of a task. */
export function unusableSubject(
  names: Names,
  queue: string,
  message: StoredMessage,
): { task: DeadTask; error: string } {
  const error =
    `InvalidSubject: "${cut(message.subject, SHOWN_CHARACTERS)}" is no task's subject: it must be ` +
    '<prefix>.tasks.<queue>.<priority>.<tenant>.<task>.<id>, with the priority high, normal or low; tenant, task and id are 1 to 64 ' +
    'characters of A–Z, a–z, 0–9, "_" and "-" each';
  return { task: deadTask(names, queue, message, message.subject), error };
}

/** Of a message in the place of a delayed task that does not say which task of this queue it is. */
export function unusableSchedule(
  names: Names,
  queue: string,
  message: StoredMessage,
): { task: DeadTask; error: string } {
  const target = message.headers?.get(ServerHeader.ScheduleTarget) ?? '';
  const shown = target === '' ? 'missing' : `"${cut(target, SHOWN_CHARACTERS)}"`;
  const error = `InvalidSchedule: Nats-Schedule-Target is ${shown}; it must be the subject of a task in the queue "${queue}"`;
  return { task: deadTask(names, queue, message, target === '' ? message.subject : target), error };
}

function deadTask(names: Names, queue: string, message: StoredMessage, replayTo: string): DeadTask {
  return {
    subject: { ...readUnusableSubject(names, replayTo), queue },
    replayTo,
    headers: message.headers,
    retries: 0,
    enqueuedAt: new Date(message.storedAt).toISOString(),
    sequence: message.streamSequence,
  };
}
