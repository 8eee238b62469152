/** Asks a NATS server about its streams and consumers, with the patience that a cluster needs. */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { isApiError, isTimeout, ServerCode } from '../wire/server-errors.js';
import { JobsError } from '../errors.js';

/** A cluster that has just started elects leaders first, and then places the copies of each stream. */
const DEADLINE_MS = 30_000;
/** Of one request: a cluster without a leader does not answer, and does not remember the request. */
const TIMEOUT_MS = 5_000;

/** Between two requests that were answered, in milliseconds. */
const PAUSE_MS = 500;

/** Until when a cluster that starts is asked, on the monotonic clock. */
export function patience(): number {
  return performance.now() + DEADLINE_MS;
}

/**
 * Asks again when nobody answers, or the cluster is not complete: each request here comes to the same, however often it is made.
 * @param deadline on the monotonic clock; by default half a minute from now
 */
export async function asking<T>(request: () => Promise<T>, deadline = patience()): Promise<T> {
  for (;;) {
    try {
      return await request();
    } catch (error) {
      const [isPassing, needsMs] = isTimeout(error) ? [true, TIMEOUT_MS] : [isIncomplete(error), PAUSE_MS];
      if (!isPassing || performance.now() + needsMs > deadline) throw error;
      if (needsMs === PAUSE_MS) await delay(PAUSE_MS);
    }
  }
}

/** The servers of a cluster come one after the other. */
export function isIncomplete(error: unknown): boolean {
  return isApiError(error, ServerCode.ClusterNoPeers) || isApiError(error, ServerCode.ClusterNotAvailable);
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
