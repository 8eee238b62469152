/**
 * Moves a connection to another server of the cluster when JetStream fails although the server answers pings: it may be cut off from the others.
 * The client itself reconnects only when the connection fails.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { publishHealthOf } from './publish-health.js';
import { isNoResponders } from '../wire/server-errors.js';
import { isAtLeast, MINIMUM_SERVER_VERSION } from './server-version.js';

export interface JetStreamWatchOptions {
  /** Between two questions, in milliseconds. Default 2,000. */
  intervalMs?: number;
  /** The connection is about to move away from this server. */
  onMove: (server: string) => void;
}

const INTERVAL_MS = 2_000;
const TIMEOUT_MS = 2_000;
/** Elections take a few seconds, and then every server fails alike. */
const FAILURES = 3;
/** If no server has JetStream, moving is of no use: each move doubles the number of failures before the next, up to this one. */
const MOST_FAILURES = 24;

interface InfoReply {
  error?: { code?: number };
}

/** Watches until the connection closes. A connection to a single server is left alone, and so is one whose user may not ask. */
export async function watchJetStream(
  connection: NatsConnection,
  { intervalMs = INTERVAL_MS, onMove }: JetStreamWatchOptions,
): Promise<void> {
  let failures = 0;
  let patience = FAILURES;
  while (await pause(connection, intervalMs)) {
    if (connection.info?.cluster === undefined) continue;
    const answer = await askJetStream(connection);
    if (answer === 'forbidden') return;
    failures = answer === 'up' ? 0 : failures + 1;
    if (answer === 'up') patience = FAILURES;
    if (failures < patience || connection.isClosed() || connection.isDraining()) continue;
    failures = 0;
    patience = Math.min(MOST_FAILURES, patience * 2);
    onMove(connection.getServer());
    await connection.reconnect().catch(() => undefined);
  }
}

/** `false` once the connection is closed. */
async function pause(connection: NatsConnection, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
    timer.unref();
  });
  await Promise.race([passed, connection.closed()]);
  clearTimeout(timer);
  return !connection.isClosed();
}

/**
 * Whether JetStream answers and stores: not while it is out of space, cut off from its cluster or starting, although the server itself answers. Storing is
 * judged by what this connection has published in the last 15 s, and not on a server that is too old. A user that may not ask counts as answered.
 * Takes two seconds at most.
 */
export async function isJetStreamUp(connection: NatsConnection): Promise<boolean> {
  if (publishHealthOf(connection).isFailing) return false;
  return (await askJetStream(connection)) !== 'down';
}

/** Only the leader of the whole cluster answers, so an answer proves a way to the majority. */
async function askJetStream(connection: NatsConnection): Promise<'up' | 'down' | 'forbidden'> {
  // The first server is checked when the connection opens; a reconnect can lead to an older one.
  if (!isAtLeast(connection.info?.version ?? '', MINIMUM_SERVER_VERSION)) return 'down';
  try {
    const reply = await connection.request('$JS.API.INFO', '', { timeout: TIMEOUT_MS });
    return (reply.json<InfoReply>().error?.code ?? 0) < 500 ? 'up' : 'down';
  } catch (error) {
    if (isNoResponders(error)) return 'down';
    return error instanceof Error && error.name === 'TimeoutError' ? 'down' : 'forbidden';
  }
}
