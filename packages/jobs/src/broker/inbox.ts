/** Inboxes for replies. A user with few permissions may subscribe only under its own prefix. */
import { createInbox, type NatsConnection } from '@nats-io/nats-core';

const prefixes = new WeakMap<NatsConnection, string>();

export function setInboxPrefix(connection: NatsConnection, prefix: string): void {
  prefixes.set(connection, prefix);
}

/** Creates an inbox that the connection's user may subscribe to. */
export function inboxOf(connection: NatsConnection): string {
  return createInbox(prefixes.get(connection));
}
