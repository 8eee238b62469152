/** An outbox with its table, and relays, in a database and a namespace of the test's own. */
import {
  createOutbox,
  createOutboxRelay,
  outboxTable,
  type Outbox,
  type OutboxRelay,
  type OutboxRelayOptions,
} from '@stratum/jobs/outbox';
import type { TopologyOptions } from '@stratum/jobs';
import { Pool, type PoolClient } from 'pg';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { emptyDatabase } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';

export interface OutboxJobs extends Jobs {
  outbox: Outbox;
  database: Pool;
  /** A started relay, stopped when the test ends. */
  relay: (options?: Partial<OutboxRelayOptions>) => OutboxRelay;
  /** Commits when the work resolves. */
  transaction: <T>(work: (client: PoolClient) => Promise<T>) => Promise<T>;
  /** Rows of the table that are not removed yet. */
  rows: () => Promise<number>;
}

/** A pool that ends before its database is dropped. */
export async function openPool(): Promise<Pool> {
  const pool = new Pool({ connectionString: await emptyDatabase(), max: 30 });
  pool.on('error', () => undefined);
  onTestFinished(() => pool.end());
  return pool;
}

export async function openOutbox(options: Partial<TopologyOptions> = {}): Promise<OutboxJobs> {
  const database = await openPool();
  await database.query(outboxTable());
  const jobs = await openJobs(options);
  const { connection, topology } = jobs;
  return {
    ...jobs,
    database,
    outbox: createOutbox({ topology }),
    relay: (relayOptions) => {
      const relay = createOutboxRelay({
        database,
        connection,
        topology,
        logger: pino({ level: 'silent' }),
        ...relayOptions,
      });
      relay.start();
      onTestFinished(() => relay.stop());
      return relay;
    },
    transaction: (work) => transaction(database, work),
    rows: async () => {
      const { rows } = await database.query<{ count: number }>('select count(*)::int from stratum_outbox');
      return rows[0]?.count ?? 0;
    },
  };
}

export async function transaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}
