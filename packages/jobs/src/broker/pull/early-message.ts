/** A message that was taken out of its lane's order. Ends, extensions and hand-backs go to the copy that stands in for it. */
import type { MsgHdrs } from '@nats-io/nats-core';
import type { HeldCopy } from '../held-copy.js';
import type { Leases } from './leases.js';
import type { PulledMessage } from './pulled-message.js';

/** Begins what stands in the place of a reply subject; no subject has blanks. */
const HELD = 'held ';

export class EarlyMessage implements PulledMessage {
  /** The copy's headers count this delivery. */
  readonly deliveries = 0;
  private isOver = false;

  constructor(
    private readonly leases: Pick<Leases, 'release'>,
    private readonly copy: HeldCopy,
    /** When the message that was taken was stored, milliseconds since 1970. */
    readonly storedAt: number,
  ) {}

  get stream(): string {
    return this.copy.task.stream;
  }

  get streamSequence(): number {
    return this.copy.task.sequence;
  }

  get subject(): string {
    return this.copy.task.subject;
  }

  get data(): Uint8Array {
    return this.copy.task.data;
  }

  get headers(): MsgHdrs | undefined {
    return this.copy.task.headers;
  }

  /** Not a subject: it names the copy to a watchdog. */
  get reply(): string {
    return `${HELD}${this.stream} ${this.copy.task.subject}`;
  }

  json(): unknown {
    return JSON.parse(Buffer.from(this.data).toString('utf8'));
  }

  ack(): void {
    this.end(() => this.copy.remove());
  }

  nak(): void {
    this.end(() => this.copy.giveBack());
  }

  /** The server has no part in this delivery, so nobody reads a reason. */
  term(): void {
    this.end(() => this.copy.remove());
  }

  working(): void {
    if (!this.isOver) void this.copy.extend();
  }

  release(): void {
    this.isOver = true;
    this.leases.release(this);
  }

  private end(act: () => Promise<void>): void {
    if (this.isOver) return;
    this.release();
    void act();
  }
}

/** Where the copy of an early message is, as its `reply` says; `undefined` for a message that the server has delivered. */
export function heldPlace(reply: string): { stream: string; subject: string } | undefined {
  if (!reply.startsWith(HELD)) return undefined;
  const [, stream = '', subject = ''] = reply.split(' ');
  return { stream, subject };
}
