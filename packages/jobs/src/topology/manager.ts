/** Asks a NATS server about its streams and consumers, with the patience that a cluster needs. */
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { isApiError, isTimeout } from '../wire/server-errors.js';
import { JobsError } from '../errors.js';

/** A cluster that has just started elects leaders first, and then places the copies of each stream. */
const DEADLINE_MS = 30_000;
/** Of one request: a cluster without a leader does not answer, and does not remember the request. */
const TIMEOUT_MS = 5_000;

/** Asks again when nobody answers: each request here comes to the same, however often it is made. */
export async function asking<T>(request: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (!isTimeout(error) || performance.now() + TIMEOUT_MS > deadline) throw error;
    }
  }
}

export async function openManager(connection: NatsConnection): Promise<JetStreamManager> {
  try {
    return await asking(() => jetstreamManager(connection, { timeout: TIMEOUT_MS }));
  } catch (cause) {
    throw new JobsError(
      'connection_failed',
      'JetStream is not available on the NATS server. Start it with JetStream enabled (`nats-server -js`) and give this account access to it.',
      { cause },
    );
  }
}

/** What is read, or `undefined` where the server has no such thing. */
export async function unlessMissing<T>(read: () => Promise<T>, missing: number): Promise<T | undefined> {
  try {
    return await asking(read);
  } catch (error) {
    if (isApiError(error, missing)) return undefined;
    throw error;
  }
}
