/** Implements the pull protocol for one lane's consumer. */
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import { containWithin } from '../../values/contain.js';
import { inboxOf } from '../inbox.js';
import { outboxOf } from '../outbox.js';
import { parseReply } from './pulled-message.js';

/** Server statuses that end a pull request. */
const NO_MESSAGES = 404;
const REQUEST_TIMEOUT = 408;
const HEART_BEAT = 100;

/** Expiry of a waiting request on the server; then it is sent again. */
const WATCH_EXPIRES_MS = 30_000;
const WATCH_HEART_BEAT_MS = 5_000;
/** A little more than two missed heartbeats: the server has dropped the request. */
const WATCH_LOST_MS = 2 * WATCH_HEART_BEAT_MS + 1_000;
/** Timeout for a request for available messages. */
const GRAB_TIMEOUT_MS = 5_000;

/** What is on its way arrives sooner, unless the broker is away: then it is delivered to another worker. */
const DRAIN_WITHIN_MS = 1_000;

const NANOS_PER_MS = 1_000_000;

/** Outcome of a request: complete, lane empty, or failed. */
export type GrabEnd = 'filled' | 'empty' | { problem: string };

/** A durable consumer to pull from. */
export interface PullLane {
  readonly stream: string;
  readonly consumer: string;
  /** Share of turns under contention. Default 1. */
  readonly weight?: number;
}

export interface LaneEvents {
  onMessage: (message: Msg) => void;
  /** The watch has ended: the lane has work, or the watch must be renewed. */
  onWatchEnd: () => void;
}

interface Grab {
  token: string;
  remaining: number;
  timer: NodeJS.Timeout;
  resolve: (end: GrabEnd) => void;
}

/**
 * Two kinds of request: `grab` takes the available messages; `watch` waits on the server for one message, so that an idle lane notices
 * work without polling. While a watch waits, the lane is known to be empty.
 */
export class LanePuller<Lane extends PullLane = PullLane> {
  // A message arrives under its own subject, so only the subscription tells which request it answers.
  private readonly grabInbox: string;
  private readonly watchInbox: string;
  private subscriptions: Subscription[] = [];
  private grabbing: Grab | undefined;
  private watchToken: string | undefined;
  private watchSeenAt = 0;
  private nextToken = 0;
  private drained = false;

  constructor(
    private readonly connection: NatsConnection,
    readonly lane: Lane,
    private readonly events: LaneEvents,
  ) {
    this.grabInbox = inboxOf(connection);
    this.watchInbox = inboxOf(connection);
  }

  get weight(): number {
    return this.lane.weight ?? 1;
  }

  get watching(): boolean {
    return this.watchToken !== undefined;
  }

  /** The last message was the last of its lane, so a watch finds out as much as a grab, with one request less. */
  get isDrained(): boolean {
    return this.drained;
  }

  start(): void {
    this.subscriptions = [
      this.subscribe(this.grabInbox, (message) => this.onGrabbed(message)),
      this.subscribe(this.watchInbox, (message) => this.onWatched(message)),
    ];
  }

  /** Ends the requests on the server as well. Messages that it has already sent are still delivered. */
  async stop(): Promise<void> {
    const open = this.subscriptions.filter((each) => !each.isClosed());
    await Promise.all(
      open.map((each) =>
        containWithin(
          () => each.drain(),
          DRAIN_WITHIN_MS,
          () => each.unsubscribe(),
        ),
      ),
    );
    this.reset();
  }

  /** Takes up to `batch` available messages. One grab at a time. */
  grab(batch: number): Promise<GrabEnd> {
    this.drained = false;
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => this.endGrab({ problem: 'no answer to a pull request' }),
        GRAB_TIMEOUT_MS,
      );
      const token = this.request(this.grabInbox, { batch, no_wait: true });
      this.grabbing = { token, remaining: batch, timer, resolve };
    });
  }

  /** Leaves a request for one message on the server. */
  watch(): void {
    this.drained = false;
    this.watchSeenAt = performance.now();
    this.watchToken = this.request(this.watchInbox, {
      batch: 1,
      expires: WATCH_EXPIRES_MS * NANOS_PER_MS,
      idle_heartbeat: WATCH_HEART_BEAT_MS * NANOS_PER_MS,
    });
  }

  /** Drops the open requests: after a reconnect the server has dropped them as well. */
  reset(): void {
    this.endWatch();
    this.endGrab({ problem: 'the connection was interrupted' });
  }

  /** Ends a watch that the server has silently dropped. */
  dropLostWatch(now: number): void {
    if (this.watching && now - this.watchSeenAt > WATCH_LOST_MS) this.endWatch();
  }

  private onGrabbed(message: Msg): void {
    const token = tokenOf(this.grabInbox, message);
    if (token === undefined) {
      this.events.onMessage(message);
      if (this.grabbing === undefined || --this.grabbing.remaining > 0) return;
      this.drained = isLast(message);
      this.endGrab('filled');
      return;
    }
    if (token !== this.grabbing?.token) return;
    const code = message.headers?.code ?? 0;
    const empty = code === NO_MESSAGES || code === REQUEST_TIMEOUT;
    this.endGrab(empty ? 'empty' : { problem: `${code} ${message.headers?.description ?? ''}`.trim() });
  }

  private onWatched(message: Msg): void {
    const token = tokenOf(this.watchInbox, message);
    if (token === undefined) {
      this.events.onMessage(message);
      this.drained = isLast(message);
      this.endWatch();
    } else if (token === this.watchToken) {
      // Any other status ends the request: its time is over, the consumer moved, the server stops. A grab finds out.
      if (message.headers?.code === HEART_BEAT) this.watchSeenAt = performance.now();
      else this.endWatch();
    }
  }

  private endWatch(): void {
    if (this.watchToken === undefined) return;
    this.watchToken = undefined;
    this.events.onWatchEnd();
  }

  private endGrab(end: GrabEnd): void {
    const grab = this.grabbing;
    if (grab === undefined) return;
    this.grabbing = undefined;
    clearTimeout(grab.timer);
    grab.resolve(end);
  }

  private subscribe(inbox: string, receive: (message: Msg) => void): Subscription {
    return this.connection.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (error === null) receive(message);
      },
    });
  }

  private request(inbox: string, body: Record<string, unknown>): string {
    const token = (this.nextToken++).toString(36);
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.lane.stream}.${this.lane.consumer}`;
    outboxOf(this.connection).add({
      transmit: () => {
        if (!this.connection.isClosed())
          this.connection.publish(subject, JSON.stringify(body), { reply: `${inbox}.${token}` });
      },
    });
    return token;
  }
}

/**
 * Nothing of the lane is left, as the reply subject says: `$JS.ACK.….<pending>`, where a newer form ends with a random token.
 * A redelivered message says nothing about others that are to be delivered again.
 */
function isLast({ reply = '' }: Msg): boolean {
  const origin = parseReply(reply);
  return origin !== undefined && origin.deliveries === 1 && origin.pending === 0;
}

/** The request that a status answers; `undefined` for a message of the stream, which comes under its own subject. */
function tokenOf(inbox: string, message: Msg): string | undefined {
  return message.subject.startsWith(inbox) ? message.subject.slice(inbox.length + 1) : undefined;
}
