/** A message that a pull consumer has delivered, and the answers that JetStream takes for it. */
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/nats-core';
import { headersOf } from '../incoming-headers.js';
import { outboxOf, type Outgoing } from '../outbox.js';
import type { Leasable, Leases } from './leases.js';

/**
 * Exactly one of `ack`, `nak`, `term` and `release` ends the processing of a message; whatever is called later has no effect. Until then its
 * lease is extended, so that no other consumer is given it.
 */
export interface PulledMessage extends Leasable {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
  /** How often the server has delivered this message, 1 the first time: above 1 a consumer was lost or gave it back. */
  readonly deliveries: number;
  /** When the message was stored, milliseconds since 1970. */
  readonly storedAt: number;
  /** @throws SyntaxError for a body that is not JSON */
  json(): unknown;
  /** Processed: the server marks it as done, or removes it. */
  ack(): void;
  /** Not processed: the server delivers it again, at once. */
  nak(): void;
  /** Cannot be processed: the server never delivers it again. The reason appears in the server's advisory. */
  term(reason: string): void;
  /** No answer: the server delivers it again once its ack wait is over. */
  release(): void;
}

const ACK = '+ACK';
const NAK = '-NAK';
const TERM = '+TERM';
const WORK_IN_PROGRESS = '+WPI';

type Body = Pick<Msg, 'subject' | 'data' | 'json'> & { readonly headers?: MsgHdrs | undefined };

/** Where a message comes from, as its reply subject says. */
export interface Origin {
  stream: string;
  deliveries: number;
  streamSequence: number;
  storedAt: number;
  /** Messages of the consumer that were still to be delivered for the first time. */
  pending: number;
}

/**
 * The message. Its lease begins when it is held.
 * @returns `undefined` for a message that no consumer has delivered: anybody may publish to an inbox
 */
export function pulledMessage(
  connection: NatsConnection,
  leases: Pick<Leases, 'release'>,
  message: Pick<Msg, 'reply'> & Body,
): PulledMessage | undefined {
  const { reply } = message;
  const origin = reply === undefined ? undefined : parseReply(reply);
  if (reply === undefined || origin === undefined) return undefined;
  return new LeasedMessage(connection, leases, message, reply, origin);
}

class LeasedMessage implements PulledMessage, Outgoing {
  readonly stream: string;
  readonly deliveries: number;
  readonly streamSequence: number;
  readonly storedAt: number;
  private ended = false;
  private read: MsgHdrs | undefined;
  /** The answer that is in the outbox. */
  private answered: string | undefined;

  constructor(
    private readonly connection: NatsConnection,
    private readonly leases: Pick<Leases, 'release'>,
    private readonly message: Body,
    readonly reply: string,
    { stream, deliveries, streamSequence, storedAt }: Origin,
  ) {
    this.stream = stream;
    this.deliveries = deliveries;
    this.streamSequence = streamSequence;
    this.storedAt = storedAt;
  }

  get subject(): string {
    return this.message.subject;
  }

  get data(): Uint8Array {
    return this.message.data;
  }

  get headers(): MsgHdrs | undefined {
    return (this.read ??= headersOf(this.message));
  }

  json(): unknown {
    return this.message.json();
  }

  ack(): void {
    this.end(ACK);
  }

  nak(): void {
    this.end(NAK);
  }

  term(reason: string): void {
    this.end(`${TERM} ${reason}`);
  }

  working(): void {
    if (!this.ended) this.answer(WORK_IN_PROGRESS);
  }

  release(): void {
    this.ended = true;
    this.leases.release(this);
  }

  private end(answer: string): void {
    if (this.ended) return;
    this.release();
    this.answer(answer);
  }

  private answer(text: string): void {
    if (this.answered === undefined) outboxOf(this.connection).add(this);
    this.answered = text;
  }

  transmit(): void {
    const text = this.answered;
    this.answered = undefined;
    if (text === undefined) return;
    try {
      this.connection.publish(this.reply, text);
    } catch {
      // The connection is closed or about to close: the server hears nothing, and delivers the message again.
    }
  }
}

/**
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<timestamp ns>.<pending>`, and the newer form
 * with a domain and an account hash in front and a random token behind.
 */
export function parseReply(reply: string): Origin | undefined {
  const tokens = reply.split('.');
  const first = tokens.length >= 11 ? 6 : 4;
  const stream = tokens[first - 2];
  const deliveries = Number(tokens[first]);
  const nanoseconds = tokens[first + 3];
  if (!Number.isInteger(deliveries) || nanoseconds === undefined || stream === undefined) return undefined;
  return {
    stream,
    deliveries,
    streamSequence: Number(tokens[first + 1]),
    storedAt: Number(nanoseconds.slice(0, -6)),
    pending: Number(tokens[first + 4]),
  };
}
