/** One message as a worker received it, and the ways to answer for it. */
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import { readTaskHeaders, type TaskHeaders } from '../wire/headers.js';
import type { Names, TaskSubject } from '../wire/names.js';

export interface Delivery {
  readonly subject: TaskSubject;
  readonly headers: Readonly<TaskHeaders>;
  readonly message: Msg;
  /** How often the server has handed this message out, 1 the first time: above 1 a worker was lost or gave it back. */
  readonly deliveries: number;
  /** Of the message in its queue's stream. */
  readonly streamSequence: number;
  /** When this message was stored, milliseconds since 1970. */
  readonly storedAt: number;
  /** When the task was first accepted. */
  readonly enqueuedAt: string;
  /** When this worker received it. */
  readonly receivedAt: number;
  /** Done: the server removes the message. */
  ack(): void;
  /** Give it back for another worker, at once. */
  handBack(): void;
  /** Still at it: the ack wait starts anew. */
  extend(): void;
}

const ACK = '+ACK';
const NAK = '-NAK';
const WORK_IN_PROGRESS = '+WPI';

/** `undefined` for a message that is not a task's, which the streams' subjects rule out. */
export function readDelivery(connection: NatsConnection, names: Names, message: Msg): Delivery | undefined {
  const subject = names.parseTaskSubject(message.subject);
  const reply = message.reply;
  const meta = reply === undefined ? undefined : parseAckReply(reply);
  if (subject === undefined || reply === undefined || meta === undefined) return undefined;
  const headers = readTaskHeaders(message.headers);
  const answer = (text: string): void => {
    // Without a connection the server hears nothing, and delivers the message again.
    if (!connection.isClosed()) connection.publish(reply, text);
  };
  return {
    subject,
    headers,
    message,
    deliveries: meta.deliveries,
    streamSequence: meta.streamSequence,
    storedAt: meta.storedAtMs,
    enqueuedAt: headers.enqueuedAt ?? new Date(meta.storedAtMs).toISOString(),
    receivedAt: Date.now(),
    ack: () => answer(ACK),
    handBack: () => answer(NAK),
    extend: () => answer(WORK_IN_PROGRESS),
  };
}

/**
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<timestamp ns>.<pending>`, and the newer form
 * with a domain and an account hash in front and a random token behind.
 */
function parseAckReply(
  reply: string,
): { deliveries: number; streamSequence: number; storedAtMs: number } | undefined {
  const tokens = reply.split('.');
  const first = tokens.length >= 11 ? 6 : 4;
  const deliveries = Number(tokens[first]);
  const nanoseconds = tokens[first + 3];
  if (!Number.isInteger(deliveries) || nanoseconds === undefined) return undefined;
  return {
    deliveries,
    streamSequence: Number(tokens[first + 1]),
    storedAtMs: Number(nanoseconds.slice(0, -6)),
  };
}
