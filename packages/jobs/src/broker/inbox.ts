/** Inboxes for replies. A user with few rights may listen under a prefix of its own only. */
import { createInbox, type NatsConnection } from '@nats-io/nats-core';

const prefixes = new WeakMap<NatsConnection, string>();

export function setInboxPrefix(connection: NatsConnection, prefix: string): void {
  prefixes.set(connection, prefix);
}

/** A new inbox that the connection's user may listen on. */
export function inboxOf(connection: NatsConnection): string {
  return createInbox(prefixes.get(connection));
}
