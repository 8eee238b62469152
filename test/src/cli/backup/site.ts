/** An installation that is backed up: a broker and a database of its own, with work done, waiting and delayed. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  connectToNats,
  createClient,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  reconcileTopology,
  type JobsClient,
  type Topology,
} from '@stratum/jobs';
import { startNatsServer } from '@stratum/jobs/embedded';
import { once, QUEUES } from '@stratum/shared';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { inject, onTestFinished } from 'vitest';
import { z } from 'zod';
import { dataFolder } from '../../harness/index.js';

export const note = defineTask({
  name: 'note',
  queue: 'default',
  input: z.object({ tag: z.string() }),
  output: z.null(),
});

export const logger = pino({ level: 'silent' });
const HOUR_MS = 3_600_000;

export interface Broker {
  url: string;
  connection: NatsConnection;
  topology: Topology;
  client: JobsClient;
  /** Delayed by an hour. */
  delay: (ids: readonly string[]) => Promise<void>;
  enqueue: (ids: readonly string[]) => Promise<void>;
  /** Runs tasks whose effect is a row of the table `effect`, once each; returns what stops it. */
  work: (database: Pool) => () => Promise<void>;
}

/** @param isEmpty without any stream */
export async function openBroker({ isEmpty = false }: { isEmpty?: boolean } = {}): Promise<Broker> {
  const server = await startNatsServer({ binary: inject('natsBinary') });
  onTestFinished(() => server.stop());
  const connection = await connectToNats({ servers: server.url, name: 'backup-test' });
  const topology = defineTopology({ queues: QUEUES, ackWaitMs: 2_000 });
  if (!isEmpty) await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(async () => {
    await client.close();
    await connection.close();
  });
  const put = async (ids: readonly string[], options: { delayMs?: number } = {}): Promise<void> => {
    for (const id of ids) await client.enqueue(note, { tag: id }, { id, tenant: '1', ...options });
  };
  return {
    url: server.url,
    connection,
    topology,
    client,
    enqueue: (ids) => put(ids),
    delay: (ids) => put(ids, { delayMs: HOUR_MS }),
    work: (database) => {
      const handler = handleTask(note, async ({ tag }, { id }) => {
        await once(database, { tenantId: 1, key: id }, (client_) =>
          client_.query('INSERT INTO effect VALUES ($1)', [tag]),
        );
        return null;
      });
      const worker = createWorker({ connection, topology, queues: ['default'], handlers: [handler], logger });
      worker.start();
      return () => worker.stop();
    },
  };
}

/** No unique constraint: a second effect must show. */
export async function prepareEffects(pool: Pool): Promise<void> {
  await pool.query(`INSERT INTO tenant (id, name, currency) VALUES (1, 'Backed up', 'USD')`);
  await pool.query('CREATE TABLE effect (tag text NOT NULL)');
}

export async function effectsIn(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ tag: string }>('SELECT tag FROM effect ORDER BY tag');
  return rows.map(({ tag }) => tag);
}

export function tags(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}-${index}`);
}

/** A path that does not exist yet. */
export async function newFolder(): Promise<string> {
  const parent = await dataFolder('stratum-backup-');
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  return join(parent, 'copy');
}
