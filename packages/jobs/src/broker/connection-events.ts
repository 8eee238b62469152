/** Events of a connection for any number of listeners: each iterator of `status()` lives as long as the connection, so there is one. */
import type { NatsConnection } from '@nats-io/nats-core';

export interface ConnectionEvents {
  /** Aborts once the connection is closed for good. */
  readonly closed: AbortSignal;
  /** Calls the listener after each reconnect; returns a function that removes it. */
  onReconnect(listener: () => void): () => void;
}

const known = new WeakMap<NatsConnection, ConnectionEvents>();

export function eventsOf(connection: NatsConnection): ConnectionEvents {
  const present = known.get(connection);
  if (present !== undefined) return present;
  const events = observe(connection);
  known.set(connection, events);
  return events;
}

function observe(connection: NatsConnection): ConnectionEvents {
  const listeners = new Set<() => void>();
  const closed = new AbortController();
  const report = async (): Promise<void> => {
    for await (const { type } of connection.status())
      if (type === 'reconnect') for (const listener of listeners) listener();
  };
  void report();
  if (connection.isClosed()) closed.abort();
  else void connection.closed().then(() => closed.abort());
  return {
    closed: closed.signal,
    onReconnect: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
