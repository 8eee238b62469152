/** A worker whose tasks take one of two advisory locks of PostgreSQL for their key, and tell when neither is free. Tests kill it. */
import { setTimeout as delay } from 'node:timers/promises';
import { connectToNats, createWorker, defineTask, defineTopology, handleTask } from '@stratum/jobs';
import pg from 'pg';
import { z } from 'zod';

const { NATS_URL, PREFIX, DATABASE_URL, ACK_WAIT_MS } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'limited' });
const topology = defineTopology({
  prefix: PREFIX,
  queues: [{ name: 'work' }],
  ackWaitMs: Number(ACK_WAIT_MS),
  maxDeliver: 1_000,
});
// One connection for each task: the server frees the locks of a process that is killed.
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 8, maxUses: 1 });
pool.on('error', () => undefined);

const limited = defineTask({
  name: 'limited',
  queue: 'work',
  input: z.object({ account: z.int() }),
  output: z.null(),
  keyLimits: [{ key: 'payload.account', concurrency: 2 }],
});

const handler = handleTask(limited, async ({ account }, context) => {
  const session = await pool.connect();
  try {
    const { rows } = await session.query(
      'select pg_try_advisory_lock($1, 1) or pg_try_advisory_lock($1, 2) as is_free',
      [account],
    );
    if (!rows[0].is_free) await session.query('insert into excess (task) values ($1)', [context.id]);
    await delay(20 + Math.random() * 60);
  } finally {
    session.release();
  }
  return null;
});

const worker = createWorker({ connection, topology, queues: ['work'], handlers: [handler], concurrency: 6 });
worker.start();
process.send?.('ready');
