/** The broker loses what it has acknowledged: an older copy of its data is restored. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  connectToNats,
  createClient,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  reconcileTopology,
} from '@stratum/jobs';
import { startNatsServer } from '@stratum/jobs/embedded';
import { createOutbox, createOutboxRelay, outboxTable } from '@stratum/jobs/outbox';
import { pino } from 'pino';
import { expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { dataFolder, waitFor } from '../harness/index.js';
import { openPool, transaction } from './outbox-fixture.js';

const logger = pino({ level: 'silent' });

/** Without results of its own: only the relay's wish keeps a record of its end. */
const note = defineTask({
  name: 'note',
  queue: 'work',
  input: z.object({ tag: z.string() }),
  output: z.null(),
  ignoreResult: true,
});

test('after a restore of an older state every task that it lost is published again, and none that has ended', async () => {
  const folder = await dataFolder('outbox-');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'nats');
  const copy = join(folder, 'copy');
  const server = await startNatsServer({ binary: inject('natsBinary'), dataDir });
  onTestFinished(() => server.stop());
  const topology = defineTopology({ prefix: 'restored', queues: [{ name: 'work' }] });
  const connection = await connectToNats({ servers: server.url, name: 'restored' });
  await reconcileTopology(connection, topology);
  const database = await openPool();
  await database.query(outboxTable());
  const outbox = createOutbox({ topology });
  const relay = createOutboxRelay({ database, connection, topology, reconcileMs: 50, pollMs: 50, logger });
  relay.start();
  const client = createClient({ connection, topology });
  const runs: string[] = [];
  const startWorker = (): (() => Promise<void>) => {
    const handler = handleTask(note, ({ tag }) => (runs.push(tag), null));
    const worker = createWorker({ connection, topology, queues: ['work'], handlers: [handler], logger });
    worker.start();
    return () => worker.stop();
  };
  const enqueue = async (tags: readonly string[]): Promise<void> => {
    const items = tags.map((tag) => ({ payload: { tag } }));
    await transaction(database, (tx) => outbox.enqueueMany(tx, note, items));
  };
  const rows = async (): Promise<number> => {
    const found = await database.query<{ count: number }>('select count(*)::int from stratum_outbox');
    return found.rows[0]?.count ?? 0;
  };
  const tagsOf = (round: string): string[] => Array.from({ length: 20 }, (_, n) => `${round}-${n}`);

  const stopFirst = startWorker();
  await enqueue(tagsOf('ended'));
  await waitFor('the reconciler to know that the first have ended', async () => (await rows()) === 0);
  await stopFirst();
  await enqueue(tagsOf('copied'));
  await waitFor('the second to be published', async () => (await relay.depth()).waiting === 0);
  await server.stop();
  await cp(dataDir, copy, { recursive: true });
  await server.restart();
  await enqueue(tagsOf('lost'));
  await waitFor('the third to be published', async () => (await relay.depth()).waiting === 0);
  await server.kill();
  await rm(dataDir, { recursive: true });
  await cp(copy, dataDir, { recursive: true });
  await server.restart();

  const stopSecond = startWorker();
  onTestFinished(async () => {
    await stopSecond();
    await relay.stop();
    await client.close();
    await connection.close();
  });
  await waitFor('all to have ended', async () => (await rows()) === 0);
  expect(runs.toSorted()).toEqual([...tagsOf('ended'), ...tagsOf('copied'), ...tagsOf('lost')].toSorted());
});
