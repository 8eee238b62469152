/** What the broker holds: one process asks it every four seconds, however many people look. */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { BackgroundLoop } from '@stratum/jobs/internal';
import { openMonitor, type Monitor } from '@stratum/jobs/monitor';
import type { QueueDepth, Topology, WorkerView } from '@stratum/jobs';
import { transaction, withAdvisoryLock } from '@stratum/shared';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { NO_SIGNALS, type Signals } from '../overview/facts.js';
import { noteVersions } from './marks.js';
import { answerMs, isLed, keyLines, newLetters, openRuns, soleHolders } from './signals.js';

const EVERY_MS = 4_000;
const FAILED_MS = 1_000;
/** A broker that takes longer has not answered. */
const ASK_WITHIN_MS = 8_000;
const MAINTENANCE_MS = 3_600_000;
/** Conditions of workers that run tasks. */
const WORKING = new Set(['ready', 'busy']);

export interface SamplerOptions {
  /** Connected as `stratum_dashboard`. */
  pool: Pool;
  connection: NatsConnection;
  topology: Topology;
  logger: Logger;
}

export function createSampler(options: SamplerOptions): BackgroundLoop {
  const { pool, logger } = options;
  let maintainedAt = -Infinity;
  return new BackgroundLoop({
    everyMs: EVERY_MS,
    afterFailureMs: FAILED_MS,
    run: async (signal) => {
      const leftMs = await dueInMs(pool);
      if (leftMs > 0) return leftMs;
      await withAdvisoryLock(pool, 'stratum.sampler', signal, async () => {
        if ((await dueInMs(pool)) > 0) return;
        await takeSample(options);
        if (performance.now() - maintainedAt < MAINTENANCE_MS) return;
        maintainedAt = performance.now();
        await pool.query('SELECT forget_dashboard_rows()');
      });
      return undefined;
    },
    onFailure: (error) => logger.warn({ err: error }, 'the queues could not be sampled, trying again'),
  });
}

async function dueInMs(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ age_ms: number }>(
    'SELECT (extract(epoch FROM now() - at) * 1000)::float8 AS age_ms FROM latest_sample',
  );
  const ageMs = rows[0]?.age_ms ?? EVERY_MS;
  return Math.min(EVERY_MS, Math.max(0, EVERY_MS - ageMs));
}

async function takeSample(options: SamplerOptions): Promise<void> {
  const { pool } = options;
  const { rows } = await pool.query<{ signals: Signals | null }>('SELECT signals FROM latest_sample');
  const { at, queues, workers, schedulers, streamLast, signals } = await within(
    ASK_WITHIN_MS,
    askBroker(options, { ...NO_SIGNALS, ...rows[0]?.signals }),
  );
  await transaction(pool, async (client) => {
    const serving = (queue: string): WorkerView[] =>
      workers.filter((each) => WORKING.has(each.condition) && each.queues.includes(queue));
    const sum = (queue: string, of: 'concurrency' | 'running'): number =>
      serving(queue).reduce((total, each) => total + each[of], 0);
    await client.query(
      'INSERT INTO gauge_10s SELECT * FROM jsonb_populate_recordset(NULL::gauge_10s, $1) ON CONFLICT DO NOTHING',
      [
        JSON.stringify(
          queues.map(({ oldestWaitingAt, ...each }) => ({
            ...each,
            at,
            oldest_at: oldestWaitingAt,
            slots: sum(each.queue, 'concurrency'),
            slots_used: sum(each.queue, 'running'),
          })),
        ),
      ],
    );
    await noteVersions(
      client,
      workers.filter(({ condition }) => WORKING.has(condition)),
    );
    await client.query(
      `INSERT INTO latest_sample (at, workers, schedulers, stream_last, signals) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (one) DO UPDATE SET at = $1, workers = $2, schedulers = $3, stream_last = $4, signals = $5`,
      [at, JSON.stringify(workers), JSON.stringify(schedulers), streamLast, JSON.stringify(signals)],
    );
  });
}

interface Sample {
  at: Date;
  queues: QueueDepth[];
  workers: WorkerView[];
  schedulers: Awaited<ReturnType<Monitor['schedulers']>>;
  /** Sequence of the newest event. */
  streamLast: number;
  signals: Signals;
}

/** @param before what the last sample found */
async function askBroker({ pool, connection, topology }: SamplerOptions, before: Signals): Promise<Sample> {
  const broker = { connection, topology };
  const monitor = openMonitor(broker);
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const [queues, workers, schedulers, stream, answer_ms, is_led, rates, key_lines, known, letters, runs] =
      await Promise.all([
        monitor.queues(),
        monitor.workers(),
        monitor.schedulers(),
        manager.streams.info(topology.names.eventStream),
        answerMs(broker),
        isLed(monitor),
        monitor.rateWaits(),
        keyLines(monitor, before.key_lines, new Date()),
        monitor.circuits(),
        newLetters(broker),
        openRuns(pool),
      ]);
    const now = new Date();
    const sole_holders = await soleHolders(broker, {
      queues,
      workers,
      running: runs.running,
      before: before.sole_holders,
      now,
    });
    const circuits = known.filter(({ opened_at }) => opened_at !== null);
    const signals: Signals = {
      answer_ms,
      is_led,
      rates,
      key_lines,
      circuits,
      letters,
      ...runs,
      sole_holders,
    };
    return { at: new Date(), queues, workers, schedulers, streamLast: stream.state.last_seq, signals };
  } finally {
    await monitor.close();
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = delay(ms, undefined, { signal: over.signal, ref: false }).then((): never => {
    throw new Error(`The broker has not answered within ${ms} ms.`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
    late.catch(() => undefined);
    work.catch(() => undefined);
  }
}
