/**
 * Makes the history of tasks out of their events. Of several projectors one leads; where it continues is in the database, beside what it has
 * stored, so that a restart neither loses an event nor counts one twice.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { taskEventSchema, type TaskEvent, type Topology } from '@stratum/jobs';
import { BackgroundLoop, readBatch, type StoredMessage } from '@stratum/jobs/internal';
import { storableJson, withAdvisoryLock } from '@stratum/shared';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { applyEvents } from './apply-events.js';
import { maintainHistory } from './maintenance.js';
import { Names } from '@stratum/shared/task-history';

export interface ProjectorOptions {
  /** Connected as `stratum_dashboard`. */
  pool: Pool;
  connection: NatsConnection;
  topology: Topology;
  logger: Logger;
  /** Days to keep ended runs. */
  keptDays: number;
  /** Events of one transaction at most. Default 5,000. */
  batch?: number;
}

const BATCH = 5_000;
const BATCH_BYTES = 16 * 1_048_576;
/** Between two looks at a stream that had nothing new: the first pause, and the longest. */
const IDLE_MS = 100;
const MAX_IDLE_MS = 500;
const MAINTENANCE_MS = 3_600_000;
const FAILED_MS = 1_000;
const LEADER_WAIT_MS = 5_000;

export function createProjector(options: ProjectorOptions): BackgroundLoop {
  const { pool, logger, topology } = options;
  return new BackgroundLoop({
    everyMs: 0,
    afterFailureMs: FAILED_MS,
    run: async (signal) => {
      const lock = `stratum.history/${topology.names.eventStream}`;
      await withAdvisoryLock(pool, lock, signal, (held) => lead(options, held), { waitMs: LEADER_WAIT_MS });
      return undefined;
    },
    onFailure: (error) => logger.error({ err: error }, 'the history is not kept up to date, trying again'),
  });
}

/** Projects until the signal aborts. */
async function lead(options: ProjectorOptions, signal: AbortSignal): Promise<void> {
  const { pool, connection, topology, logger } = options;
  const stream = topology.names.eventStream;
  const names = new Names();
  await names.load(pool);
  let position = await readPosition(pool, connection, stream);
  let maintainedAt = -Infinity;
  let idleMs = IDLE_MS;
  let ahead: Promise<Batch> | undefined;
  while (!signal.aborted) {
    if (performance.now() - maintainedAt > MAINTENANCE_MS) {
      await maintainHistory(pool, options.keptDays, logger);
      maintainedAt = performance.now();
    }
    const { first, last, events, hasMore } = await (ahead ?? readEvents(options, position.sequence + 1));
    ahead = undefined;
    if (first === undefined || last === undefined) {
      await delay(idleMs, undefined, { signal }).catch(() => undefined);
      idleMs = Math.min(MAX_IDLE_MS, idleMs * 2);
      continue;
    }
    idleMs = IDLE_MS;
    if (first.seq !== position.sequence + 1) await recordGap(pool, stream, position, first);
    const next = { sequence: last.seq, at: last.time };
    // Behind, the next batch is read and parsed while the database stores this one: they take about the same time.
    if (hasMore) {
      ahead = readEvents(options, next.sequence + 1);
      // It is awaited in its turn, or not at all if this batch cannot be stored.
      ahead.catch(() => undefined);
    }
    await applyEvents(pool, names, { stream, events, after: position.sequence, position: next });
    position = next;
  }
}

interface Batch {
  /** `undefined`: nothing new. */
  first: StoredMessage | undefined;
  last: StoredMessage | undefined;
  events: TaskEvent[];
  /** More is there already. */
  hasMore: boolean;
}

async function readEvents(
  { connection, topology, logger, batch = BATCH }: ProjectorOptions,
  from: number,
): Promise<Batch> {
  const messages = await readBatch(connection, topology.names.eventStream, {
    seq: from,
    next_by_subj: topology.names.eventFilter,
    batch,
    max_bytes: BATCH_BYTES,
  });
  const part = contiguous(messages);
  return {
    first: part[0],
    last: part.at(-1),
    events: part.flatMap((message) => parseEvent(message, logger)),
    hasMore: (part.at(-1)?.pending ?? 0) > 0,
  };
}

interface Position {
  sequence: number;
  at: Date | null;
}

async function readPosition(pool: Pool, connection: NatsConnection, stream: string): Promise<Position> {
  const { rows } = await pool.query<{ sequence: string; at: Date | null }>(
    'SELECT sequence, at FROM projector WHERE stream = $1',
    [stream],
  );
  const stored = { sequence: Number(rows[0]?.sequence ?? 0), at: rows[0]?.at ?? null };
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const { state } = await manager.streams.info(stream);
  if (state.last_seq >= stored.sequence) return stored;
  // The stream was made anew: its numbers begin again, and so does the projector.
  await pool.query('UPDATE projector SET sequence = 0 WHERE stream = $1 AND sequence = $2', [
    stream,
    stored.sequence,
  ]);
  return { sequence: 0, at: stored.at };
}

/** Up to the first hole. Whether that is one shows the next read, which begins there. */
function contiguous(messages: readonly StoredMessage[]): readonly StoredMessage[] {
  const start = messages[0]?.seq ?? 0;
  const end = messages.findIndex(({ seq }, index) => seq !== start + index);
  return end === -1 ? messages : messages.slice(0, end);
}

/** A stream that is read for the first time has no gap before its first message: nobody was there to see it. */
async function recordGap(pool: Pool, stream: string, from: Position, first: StoredMessage): Promise<void> {
  if (from.sequence === 0) return;
  await pool.query(
    `INSERT INTO projector_gap (stream, first, last, from_at, until_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
    [stream, from.sequence + 1, first.seq - 1, from.at, first.time],
  );
}

function parseEvent(message: StoredMessage, logger: Logger): TaskEvent[] {
  try {
    return [taskEventSchema.parse(storable(message))];
  } catch (error) {
    logger.warn(
      { err: error, sequence: message.seq },
      'an event that cannot be read is left out of the history',
    );
    return [];
  }
}

/** Characters that the database cannot hold are replaced before anything is compared with what it holds. */
function storable(message: StoredMessage): unknown {
  const text = Buffer.from(message.data).toString('utf8');
  const body: unknown = JSON.parse(text);
  // Both of them are escaped wherever they occur.
  if (!text.includes('\\u') || typeof body !== 'object' || body === null) return body;
  return JSON.parse(storableJson(body));
}
