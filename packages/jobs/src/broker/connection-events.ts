/** Events of a connection for any number of listeners: each iterator of `status()` lives as long as the connection, so there is one. */
import type { NatsConnection, PermissionViolationError } from '@nats-io/nats-core';

export interface ConnectionEvents {
  /** Aborts once the connection is closed for good. */
  readonly closed: AbortSignal;
  /** Calls the listener after each reconnect; returns a function that removes it. */
  onReconnect(listener: () => void): () => void;
  /** Calls the listener with each subject that the connection's user may not publish to, once it has tried. */
  onRefusal(listener: (subject: string, error: Error) => void): void;
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
  const refusalListeners = new Set<(subject: string, error: Error) => void>();
  const closed = new AbortController();
  const report = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === 'reconnect') for (const listener of listeners) listener();
      if (status.type !== 'error' || !isRefusal(status.error)) continue;
      const { operation, subject } = status.error;
      if (operation === 'publish') for (const listener of refusalListeners) listener(subject, status.error);
    }
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
    onRefusal: (listener) => void refusalListeners.add(listener),
  };
}

function isRefusal(error: Error): error is PermissionViolationError {
  return error.name === 'PermissionViolationError';
}
