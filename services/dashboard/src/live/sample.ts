/** What the broker holds: one process asks it every ten seconds, however many people look. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { BackgroundLoop } from '@stratum/jobs/internal';
import { openMonitor } from '@stratum/jobs/monitor';
import type { Topology } from '@stratum/jobs';
import { transaction, withAdvisoryLock } from '@stratum/shared';
import type { Logger } from 'pino';
import type { Pool } from 'pg';

const EVERY_MS = 10_000;
const FAILED_MS = 2_000;
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
  let maintainedAt = -Infinity;
  return new BackgroundLoop({
    everyMs: EVERY_MS / 4,
    afterFailureMs: FAILED_MS,
    run: async (signal) => {
      await withAdvisoryLock(options.pool, 'stratum.sampler', signal, async () => {
        if (!(await isDue(options.pool))) return;
        await takeSample(options);
        if (performance.now() - maintainedAt < MAINTENANCE_MS) return;
        maintainedAt = performance.now();
        await options.pool.query('SELECT forget_dashboard_rows()');
      });
      return undefined;
    },
    onFailure: (error) =>
      options.logger.warn({ err: error }, 'the queues could not be sampled, trying again'),
  });
}

async function isDue(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query<{ due: boolean }>(
    "SELECT NOT EXISTS (SELECT FROM latest_sample WHERE at > now() - $1 * interval '1 millisecond') AS due",
    [EVERY_MS],
  );
  return rows[0]?.due === true;
}

async function takeSample({ pool, connection, topology }: SamplerOptions): Promise<void> {
  const monitor = openMonitor({ connection, topology });
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const [queues, workers, schedulers, stream] = await Promise.all([
      monitor.queues(),
      monitor.workers(),
      monitor.schedulers(),
      manager.streams.info(topology.names.eventStream),
    ]);
    const at = new Date();
    await transaction(pool, async (client) => {
      const serving = (queue: string): typeof workers =>
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
      await client.query(
        `INSERT INTO latest_sample (at, workers, schedulers, stream_last) VALUES ($1, $2, $3, $4)
         ON CONFLICT (one) DO UPDATE SET at = $1, workers = $2, schedulers = $3, stream_last = $4`,
        [at, JSON.stringify(workers), JSON.stringify(schedulers), stream.state.last_seq],
      );
    });
  } finally {
    await monitor.close();
  }
}
