/**
 * Whether messages of this process are being stored. After a full disk a server answers pings and JetStream's requests, and yet stores nothing in the
 * streams that it could not write, until it is restarted; only who publishes sees it.
 */
import type { NatsConnection } from '@nats-io/nats-core';

/** A failure counts for so long after it was last seen, because other streams may go on. */
const REMEMBERED_MS = 15_000;

class PublishHealth {
  private failedAt = -Infinity;

  /** A message was not confirmed in time, or there was no room for it. */
  failed(): void {
    this.failedAt = performance.now();
  }

  get isFailing(): boolean {
    return performance.now() - this.failedAt < REMEMBERED_MS;
  }
}

const healths = new WeakMap<NatsConnection, PublishHealth>();

/** Of all publishers on the connection. */
export function publishHealthOf(connection: NatsConnection): PublishHealth {
  let health = healths.get(connection);
  if (health === undefined) {
    health = new PublishHealth();
    healths.set(connection, health);
  }
  return health;
}
