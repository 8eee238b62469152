/**
 * Gathers the messages that a process sends within one turn of the event loop, so that they leave in one write to the socket. Under load a
 * turn settles dozens of tasks; a write for each would cost more than everything else about them.
 */
import type { NatsConnection } from '@nats-io/nats-core';

/** A message that knows how to publish itself. */
export interface Outgoing {
  /** Publishes it over the connection. Never throws. */
  transmit(): void;
}

export class Outbox {
  private gathered: Outgoing[] = [];

  /** Sends the message at the end of this turn, after the ones before it. */
  add(message: Outgoing): void {
    if (this.gathered.push(message) === 1) setImmediate(() => this.flush());
  }

  /** Sends at once, for a caller that is about to close the connection. */
  flush(): void {
    const messages = this.gathered;
    this.gathered = [];
    for (const message of messages) message.transmit();
  }
}

const outboxes = new WeakMap<NatsConnection, Outbox>();

/** The connection's only outbox. */
export function outboxOf(connection: NatsConnection): Outbox {
  let outbox = outboxes.get(connection);
  if (outbox === undefined) {
    outbox = new Outbox();
    outboxes.set(connection, outbox);
  }
  return outbox;
}
