/** Tasks enqueued in transactions of PostgreSQL, and relayed: beside the same transactions without a task, and beside plain enqueueing. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOutbox, createOutboxRelay, outboxTable } from '@stratum/jobs/outbox';
import { startPostgres } from '@stratum/cli/embedded';
import type { NatsConnection } from '@nats-io/transport-node';
import { Pool } from 'pg';
import { compare, inParallel, rate, type Comparison } from './measure.js';
import { noop, type Framework } from './subject.js';

export interface OutboxFigures {
  /** Transactions of one insert each per second: with a task, and without. */
  enqueue: Comparison;
  /** Tasks per second: a relay over rows that wait, and `client.enqueue`. */
  relay: Comparison;
}

const TRANSACTIONS = 3_000;
const SESSIONS = 16;
const TASKS = 20_000;
const IN_FLIGHT = 1_000;
const LOOK_MS = 5;

export async function benchOutbox(
  connection: NatsConnection,
  { client, topology }: Framework,
  rounds: number,
): Promise<OutboxFigures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const server = await startPostgres({ dataDir, port: 0 });
  const pool = new Pool({ connectionString: server.url, max: SESSIONS + 4 });
  // The server ends idle sessions when it stops.
  pool.on('error', () => undefined);
  const outbox = createOutbox({ topology });
  const order = async (n: number, withTask: boolean): Promise<void> => {
    const session = await pool.connect();
    try {
      await session.query('begin');
      await session.query('insert into orders (n) values ($1)', [n]);
      if (withTask) await outbox.enqueue(session, noop, { n });
      await session.query('commit');
    } finally {
      session.release();
    }
  };
  const orders = (withTask: boolean): Promise<number> =>
    rate(TRANSACTIONS, () => inParallel(TRANSACTIONS, SESSIONS, (n) => order(n, withTask)));
  const relayAll = async (): Promise<number> => {
    await pool.query('truncate stratum_outbox');
    const items = Array.from({ length: TASKS }, (_, n) => ({ payload: { n } }));
    await outbox.enqueueMany(pool, noop, items);
    const relay = createOutboxRelay({ database: pool, connection, topology, reconcileMs: 3_600_000 });
    const perSecond = await rate(TASKS, async () => {
      relay.start();
      while ((await relay.depth()).waiting > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    });
    await relay.stop();
    return perSecond;
  };
  try {
    await pool.query(outboxTable());
    await pool.query(
      'create table orders (id bigint generated always as identity primary key, n int not null)',
    );
    return {
      enqueue: await compare(
        rounds,
        () => orders(true),
        () => orders(false),
      ),
      relay: await compare(rounds, relayAll, () =>
        rate(TASKS, () => inParallel(TASKS, IN_FLIGHT, (n) => client.enqueue(noop, { n }))),
      ),
    };
  } finally {
    await pool.end();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}
