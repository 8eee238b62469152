/**
 * Publishes to JetStream and awaits the server's acknowledgements over one inbox subscription and one map of
 * pending messages, which is several times faster than a request per message.
 *
 * A message is sent again, with the same `Nats-Msg-Id` when it has one, after a lost acknowledgement, after a
 * reconnect, and whenever the server asks for patience; so messages without an id must be idempotent (as key-value
 * puts are). At most `windowSize` messages are unacknowledged at once; more wait their turn in order.
 */
import type { Msg, MsgHdrs, NatsConnection, Subscription } from '@nats-io/nats-core';
import Queue from 'yocto-queue';
import { JobsError, PublishError, type PublishErrorOptions } from '../errors.js';
import { inboxOf } from './inbox.js';
import { outboxOf, type Outbox, type Outgoing } from './outbox.js';
import { publishHealthOf } from './publish-health.js';
import { publishAnswer, type PublishAnswer, type StoredAck } from './publish-answer.js';
import { ServerStatus } from '../wire/server-errors.js';
import { isWithoutStream } from './without-stream.js';

export interface AckMultiplexerOptions {
  /** Unacknowledged messages at once. Default 4,096: enough to keep a broker busy, little enough for it to buffer. */
  windowSize?: number;
  /** Resends a message without an acknowledgement after this time, in milliseconds. Default 5,000. */
  ackTimeoutMs?: number;
  /** Deadline since the call of `publish`, in milliseconds. Default 60,000. */
  deadlineMs?: number;
  /** Fails at once if the stream is full, instead of at the deadline: for callers that can ask their own clients to retry. Default false. */
  failWhenFull?: boolean;
  /** Receives the latency of each confirmation, in milliseconds. */
  onConfirmed?: (milliseconds: number) => void;
}

export interface PublishOptions {
  headers?: MsgHdrs;
  /** Overrides the multiplexer's deadline, in milliseconds. */
  deadlineMs?: number;
}

/** A message on its way into its stream. */
class PendingMessage implements Outgoing {
  sentAt = 0;
  token = '';
  /** How often it was sent without an answer that says it was not stored. */
  doubts = 0;
  /** Why the server has not stored it yet. */
  reason: string | undefined;
  /** It will never be stored as it is. */
  isRefused = false;

  constructor(
    private readonly publish: (message: PendingMessage) => void,
    readonly subject: string,
    readonly data: string | Uint8Array,
    readonly headers: MsgHdrs | undefined,
    readonly deadlineAt: number,
    readonly resolve: (ack: StoredAck) => void,
    readonly reject: (error: Error) => void,
  ) {}

  transmit(): void {
    this.publish(this);
  }
}

const SWEEP_INTERVAL_MS = 250;

export class AckMultiplexer {
  private readonly inbox: string;
  private readonly outbox: Outbox;
  private readonly subscription: Subscription;
  private readonly pending = new Map<string, PendingMessage>();
  private readonly waiting = new Queue<PendingMessage>();
  private readonly sweeper: NodeJS.Timeout;
  private readonly windowSize: number;
  private readonly ackTimeoutMs: number;
  private readonly deadlineMs: number;
  private readonly onConfirmed: ((milliseconds: number) => void) | undefined;
  private readonly failWhenFull: boolean;
  /** Messages that no stream accepted. They fail if their stream does not exist. */
  private readonly suspects = new Map<string, PendingMessage>();
  private nextToken = 0;
  private whenIdle: (() => void)[] = [];
  private closed = false;

  constructor(
    private readonly connection: NatsConnection,
    options: AckMultiplexerOptions = {},
  ) {
    this.inbox = inboxOf(connection);
    this.outbox = outboxOf(connection);
    this.windowSize = options.windowSize ?? 4096;
    this.ackTimeoutMs = options.ackTimeoutMs ?? 5_000;
    this.deadlineMs = options.deadlineMs ?? 60_000;
    this.onConfirmed = options.onConfirmed;
    this.failWhenFull = options.failWhenFull ?? false;
    this.subscription = connection.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.settle(message);
      },
    });
    this.sweeper = setInterval(() => this.sweep(), SWEEP_INTERVAL_MS);
    this.sweeper.unref();
    void this.resendOnReconnect();
  }

  /** Messages not yet acknowledged, waiting ones included. */
  get size(): number {
    return this.pending.size + this.waiting.size;
  }

  /**
   * Resolves once JetStream has stored the message.
   * @throws PublishError `publish_failed` when it was certainly not stored, `publish_unconfirmed` when that is unknown at the deadline,
   *   `publish_conflict` when the expected last sequence of the subject did not hold
   */
  publish(subject: string, data: string | Uint8Array, options: PublishOptions = {}): Promise<StoredAck> {
    return new Promise((resolve, reject) => this.accept(subject, data, options, resolve, reject));
  }

  /** The same without a promise, for callers that do not wait. */
  publishInBackground(
    subject: string,
    data: string | Uint8Array,
    options: PublishOptions,
    onError: (error: Error) => void,
  ): void {
    this.accept(subject, data, options, ignore, onError);
  }

  /** Resolves when everything published so far has been acknowledged or has failed. */
  async drained(): Promise<void> {
    if (this.size === 0) return;
    await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  /** Waits for what is pending, then stops. Later publishes are refused. Idempotent. */
  async close(): Promise<void> {
    this.closed = true;
    await this.drained();
    clearInterval(this.sweeper);
    if (!this.subscription.isClosed()) this.subscription.unsubscribe();
  }

  private accept(
    subject: string,
    data: string | Uint8Array,
    options: PublishOptions,
    resolve: (ack: StoredAck) => void,
    reject: (error: Error) => void,
  ): void {
    if (this.closed) {
      reject(new JobsError('closed', 'This client has been closed.'));
      return;
    }
    const deadlineAt = performance.now() + (options.deadlineMs ?? this.deadlineMs);
    const message = new PendingMessage(
      this.transmit,
      subject,
      data,
      options.headers,
      deadlineAt,
      resolve,
      reject,
    );
    if (this.pending.size < this.windowSize) this.send(message);
    else this.waiting.enqueue(message);
  }

  private send(message: PendingMessage): void {
    message.token = (this.nextToken++).toString(36);
    this.pending.set(message.token, message);
    this.sendGathered(message);
  }

  private sendGathered(message: PendingMessage): void {
    message.sentAt = performance.now();
    this.outbox.add(message);
  }

  private readonly transmit = (message: PendingMessage): void => {
    const { token, subject, data, headers } = message;
    // It has been settled since it was put into the outbox.
    if (this.pending.get(token) !== message) return;
    const reply = `${this.inbox}.${token}`;
    // A buffer from the pool; the client would allocate memory for each text.
    const body = typeof data === 'string' ? Buffer.from(data) : data;
    try {
      this.connection.publish(subject, body, headers === undefined ? { reply } : { reply, headers });
      message.doubts++;
    } catch (cause) {
      // The client throws if it can never send: the connection is closed, or the body exceeds the server's limit.
      message.reason = 'it could not be sent';
      this.giveUp(message, cause);
    }
  };

  private settle(reply: Msg): void {
    const token = reply.subject.slice(this.inbox.length + 1);
    const message = this.pending.get(token);
    if (message === undefined) return;
    const answer = publishAnswer(reply);
    if (answer.kind === 'stored') {
      this.onConfirmed?.(performance.now() - message.sentAt);
      this.remove(message);
      message.resolve(answer.ack);
    } else {
      this.settleUnstored(message, answer, reply);
    }
  }

  private settleUnstored(
    message: PendingMessage,
    answer: Exclude<PublishAnswer, { kind: 'stored' }>,
    reply: Msg,
  ): void {
    if (answer.kind === 'conflict') {
      this.remove(message);
      message.reject(conflict(message.subject));
      return;
    }
    message.reason = answer.reason;
    if (answer.kind === 'again' && answer.isFull) publishHealthOf(this.connection).failed();
    message.isRefused = answer.kind === 'refused';
    if (answer.kind === 'refused' || (answer.isFull && this.failWhenFull)) {
      // So is every other copy of it.
      message.doubts = 0;
      this.giveUp(message);
      return;
    }
    if (answer.isStored === 'no') message.doubts--;
    this.sendAgainSoon(message);
    if (!isNoResponders(reply)) return;
    this.suspects.set(message.token, message);
    if (this.suspects.size === 1) void this.rejectHomeless();
  }

  /** It will not be sent again. If one of its copies is unanswered, the server may have stored it, or may yet. */
  private giveUp(message: PendingMessage, cause?: unknown): void {
    const { subject, doubts, isRefused, reason = 'JetStream did not confirm it in time' } = message;
    this.remove(message);
    message.reject(
      doubts > 0 ? unconfirmed(subject, cause) : refused(subject, reason, { cause, unreachable: !isRefused }),
    );
  }

  /** JetStream is starting, electing a leader or short of resources: the next sweep sends the message again. */
  private sendAgainSoon(message: PendingMessage): void {
    message.sentAt = performance.now() - this.ackTimeoutMs;
  }

  /**
   * The server reports "no responders" both for a JetStream that is briefly unavailable and for a missing stream. The first is temporary,
   * the second is not, so JetStream is asked, one message at a time.
   */
  private async rejectHomeless(): Promise<void> {
    for (const [token, message] of this.suspects) {
      const isMissing = await isWithoutStream(this.connection, message.subject);
      if (isMissing && this.pending.get(token) === message) {
        this.remove(message);
        message.reject(homeless(message.subject));
      }
      this.suspects.delete(token);
    }
  }

  /** Takes it out and sends the next one. */
  private remove({ token }: PendingMessage): void {
    this.pending.delete(token);
    const next = this.waiting.dequeue();
    if (next !== undefined) this.send(next);
    else if (this.pending.size === 0) this.notifyIdle();
  }

  private notifyIdle(): void {
    const listeners = this.whenIdle;
    this.whenIdle = [];
    for (const listener of listeners) listener();
  }

  private sweep(): void {
    const now = performance.now();
    for (const message of this.pending.values()) {
      if (now >= message.deadlineAt || this.connection.isClosed()) {
        this.giveUp(message);
      } else if (now - message.sentAt >= this.ackTimeoutMs) {
        if (message.doubts > 0) publishHealthOf(this.connection).failed();
        this.sendGathered(message);
      }
    }
  }

  private async resendOnReconnect(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type !== 'reconnect') continue;
      for (const message of this.pending.values()) this.sendGathered(message);
    }
  }
}

function ignore(): void {}

function isNoResponders(reply: Msg): boolean {
  return reply.headers?.code === ServerStatus.Unavailable;
}

function conflict(subject: string): PublishError {
  return new PublishError('publish_conflict', `A message already stands on ${subject}.`, {
    details: { subject },
  });
}

function unconfirmed(subject: string, cause: unknown): PublishError {
  return new PublishError(
    'publish_unconfirmed',
    `JetStream did not confirm a message to ${subject} in time, so it may be stored or not. Publish it again under the same id: what is stored already is not stored twice.`,
    { cause, details: { subject } },
  );
}

function homeless(subject: string): PublishError {
  return new PublishError(
    'topology_missing',
    `A message to ${subject} was not stored: no stream takes it. Run reconcileTopology(connection, topology) once before the first task, with the same prefix and queues.`,
    { details: { subject } },
  );
}

function refused(subject: string, reason: string, options: PublishErrorOptions): PublishError {
  return new PublishError('publish_failed', `A message to ${subject} was not stored: ${reason}.`, {
    ...options,
    details: { subject },
  });
}
