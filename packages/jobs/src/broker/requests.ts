/**
 * Requests over one inbox. They leave in the outbox, in order and in one write with everything else that the process sends within a turn; the
 * client's own request writes for each, and makes a timer and an error for each.
 */
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import { JobsError } from '../errors.js';
import { eventsOf } from './connection-events.js';
import { inboxOf } from './inbox.js';
import { outboxOf, type Outgoing } from './outbox.js';

export interface Request {
  /** Sends it, once more if it was sent before. */
  send(): void;
  /** Ignores what is answered from now on. */
  close(): void;
}

interface RequestOptions {
  subject: string;
  body: string;
  /** Receives every answer, the server's report that nobody listens among them. */
  onReply: (reply: Msg) => void;
  /** It can have no answer: the connection is closed, or its user may not send it. */
  onError: (error: Error) => void;
}

class PendingRequest implements Request, Outgoing {
  constructor(
    private readonly requests: Requests,
    readonly token: string,
    readonly options: RequestOptions,
  ) {}

  send(): void {
    this.requests.send(this);
  }

  transmit(): void {
    this.requests.transmit(this);
  }

  close(): void {
    this.requests.close(this);
  }
}

class Requests {
  private readonly inbox: string;
  private readonly pending = new Map<string, PendingRequest>();
  private nextToken = 0;

  constructor(private readonly connection: NatsConnection) {
    this.inbox = inboxOf(connection);
    connection.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.take(message);
      },
    });
    const events = eventsOf(connection);
    events.onRefusal((subject, error) => this.fail(error, subject));
    events.closed.addEventListener('abort', () => this.fail(closed()));
  }

  open(options: RequestOptions): Request {
    const request = new PendingRequest(this, (this.nextToken++).toString(36), options);
    this.pending.set(request.token, request);
    return request;
  }

  send(request: PendingRequest): void {
    outboxOf(this.connection).add(request);
  }

  transmit({ token, options }: PendingRequest): void {
    if (!this.pending.has(token)) return;
    const { subject, body, onError } = options;
    try {
      this.connection.publish(subject, Buffer.from(body), { reply: `${this.inbox}.${token}` });
    } catch (cause) {
      onError(cause instanceof Error ? cause : closed(cause));
    }
  }

  close({ token }: PendingRequest): void {
    this.pending.delete(token);
  }

  private take(reply: Msg): void {
    this.pending.get(reply.subject.slice(this.inbox.length + 1))?.options.onReply(reply);
  }

  /** @param subject of the requests that fail. Default: all */
  private fail(error: Error, subject?: string): void {
    for (const { options } of this.pending.values())
      if (subject === undefined || subject === options.subject) options.onError(error);
  }
}

const known = new WeakMap<NatsConnection, Requests>();

/** @throws Error when the connection is closed */
export function openRequest(connection: NatsConnection, options: RequestOptions): Request {
  let requests = known.get(connection);
  if (requests === undefined) {
    requests = new Requests(connection);
    known.set(connection, requests);
  }
  return requests.open(options);
}

function closed(cause?: unknown): JobsError {
  return new JobsError('closed', 'The connection to the broker is closed.', { cause });
}
