/** A dead letter, as clients see it and as it is stored. */
import type { MsgHdrs } from '@nats-io/nats-core';
import { storedSequence, storedSubject, type StreamMessage } from '../../broker/stored-message.js';
import { isNestedTooDeep } from '../../values/any-value.js';
import { parseExactJson } from '../../values/bounded-json.js';
import { count } from '../../values/bounds.js';
import { DEAD_REASONS, type DeadReason } from '../../wire/dead-reason.js';
import { DeadHeader, readTaskHeaders, ServerHeader, type TaskHeaders } from '../../wire/headers.js';
import { readHistory, type FailedAttempt } from '../../wire/history.js';
import type { Names, Priority } from '../../wire/names.js';
import { readUnusableSubject } from '../../wire/unusable-subject.js';

export interface DeadLetter {
  /** The task's id. */
  id: string;
  task: string;
  queue: string;
  tenant: string | null;
  priority: Priority;
  reason: DeadReason;
  /** One line: the error's type and message. */
  error: string;
  attempts: number;
  worker: string | null;
  /** RFC 3339. */
  at: string;
  enqueuedAt: string | null;
  /** Failed attempts, the last ones, the oldest first. */
  history: FailedAttempt[];
  /** The body as it was: JSON where it is JSON, else text. */
  payload: unknown;
  /** The place in the dead letters' stream: newer letters have higher ones. */
  sequence: number;
}

/** The message of a letter in its stream, however it was read. */
export interface LetterMessage {
  subject: string;
  headers: MsgHdrs | undefined;
  data: Uint8Array;
  sequence: number;
  storedAt: Date;
}

export interface StoredLetter {
  letter: DeadLetter;
  message: LetterMessage;
  /** The task's headers. */
  own: TaskHeaders;
}

/** Of a message that was read directly. */
export function letterMessage(message: StreamMessage): LetterMessage {
  return {
    subject: storedSubject(message),
    headers: message.headers,
    data: message.data,
    sequence: storedSequence(message),
    storedAt: new Date(message.headers?.get(ServerHeader.TimeStamp) ?? 0),
  };
}

/** Reads any message, because a list must not fail because of one letter. */
export function readLetter(names: Names, message: LetterMessage): StoredLetter {
  const { headers, subject, sequence } = message;
  const [queue = '', task = '', id = ''] = subject.split('.').slice(-3);
  const header = (name: string): string => headers?.get(name) ?? '';
  const own = readTaskHeaders(headers);
  const { priority, tenant } = readUnusableSubject(names, header(DeadHeader.Subject));
  return {
    message,
    own,
    letter: {
      id,
      task,
      queue,
      tenant: tenant ?? null,
      priority,
      reason: DEAD_REASONS.find((reason) => reason === header(DeadHeader.Reason)) ?? 'not_retryable',
      error: header(DeadHeader.Error),
      attempts: count.parse(header(DeadHeader.Attempts)) ?? 1,
      worker: header(DeadHeader.Worker) || null,
      at: header(DeadHeader.At),
      enqueuedAt: own.enqueuedAt ?? null,
      history: readHistory(own.history),
      payload: readBody(message),
      sequence,
    },
  };
}

function readBody({ data }: LetterMessage): unknown {
  const text = Buffer.from(data).toString('utf8');
  // Whoever lists letters writes them down again, and would fail for all of them.
  if (isNestedTooDeep(text)) return text;
  try {
    return parseExactJson(text);
  } catch {
    return text;
  }
}
