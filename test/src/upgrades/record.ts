/**
 * Prints what the framework, as an older version has it, stores for tasks in every state: the messages of each stream as JSON. Run with the
 * older framework in place of today's; see `README.md`.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import {
  chain,
  chord,
  connectToNats,
  createClient,
  createScheduler,
  createWorker,
  group,
  handleTask,
  openSchedules,
  reconcileTopology,
  step,
} from '@stratum/jobs';
import { findNatsServer, startNatsServer } from '@stratum/jobs/embedded';
import { fileURLToPath } from 'node:url';
import { writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import { total, totalHandler } from '../jobs/workflow-tasks.js';
import { doomed, echo, ENTRY, flaky, held, LIMIT, UNIQUE_KEY, upgradedTopology } from './plan.js';
import { storedStreams } from './stored-streams.js';

const [file = ''] = process.argv.slice(2);
/** They are due when the fixture is read. */
const DELAY_MS = 30_000;
const logger = pino({ level: 'silent' });
const { path } = await findNatsServer({
  cacheDir: fileURLToPath(new URL('../../../.stratum', import.meta.url)),
});
const server = await startNatsServer({ binary: path });
const connection = await connectToNats({ servers: server.url, name: 'record' });
const topology = upgradedTopology();
await reconcileTopology(connection, topology);
const client = createClient({ connection, topology });
const schedules = openSchedules({ connection, topology, contracts: [echo] });

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 600; look++) {
    if (await isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`It did not come to this: ${what}.`);
}
const state = async (id: string): Promise<string | undefined> => (await client.status(id))?.state;

const handlers = [
  handleTask(echo, ({ tag }) => ({ tag })),
  handleTask(doomed, () => {
    throw new Error('never');
  }),
  handleTask(flaky, () => {
    throw new Error('not yet');
  }),
  totalHandler,
];
const worker = createWorker({ connection, topology, queues: ['work'], handlers, logger });
worker.start();
await client.enqueue(echo, { tag: 'ended' }, { id: 'ended', tenant: '7' });
await client.enqueue(doomed, { tag: 'dead' }, { id: 'dead', tenant: '7' });
await client.enqueue(flaky, { tag: 'retried' }, { id: 'retried', tenant: '7' });
await client.workflows.start(
  chain([step(total, { plus: 1 }), step(total, { plus: 2 }, { with: { of: '$previous' } })]),
  { id: 'finished' },
);
await until(
  'the first tasks have ended',
  async () =>
    (await state('ended')) === 'SUCCESS' &&
    (await state('dead')) === 'FAILURE' &&
    (await state('retried')) === 'RETRY' &&
    (await client.workflows.get('finished'))?.state === 'SUCCESS',
);
await schedules.add({
  name: ENTRY,
  task: echo.name,
  payload: { tag: 'tick' },
  cron: '0 * * * *',
  time_zone: 'Europe/Berlin',
});
const scheduler = createScheduler({ connection, topology, contracts: [echo], entries: [], logger });
scheduler.start();
const ran = await schedules.run(ENTRY);
await until('the entry has run', async () => (await state(ran.id)) === 'SUCCESS');
await scheduler.stop();
await worker.stop();
await client.control.pause('held');
await client.control.setRateLimit(echo.name, LIMIT);
await client.enqueue(echo, { tag: 'waiting' }, { id: 'waiting', tenant: '7', priority: 'high' });
await client.enqueue(echo, { tag: 'delayed' }, { id: 'delayed', tenant: '7', delayMs: DELAY_MS });
await client.enqueue(echo, { tag: 'revoked' }, { id: 'revoked', tenant: '7', delayMs: DELAY_MS });
await client.revoke('revoked');
await client.enqueue(echo, { tag: 'unique' }, { id: 'unique', uniqueKey: UNIQUE_KEY });
await client.enqueue(held, { tag: 'held' }, { id: 'held' });
await client.workflows.start(
  chord(
    group([step(total, { plus: 1 }), step(total, { plus: 2 })]),
    step(total, { plus: 3 }, { with: { of: '$previous' } }),
  ),
  { id: 'begun' },
);
await until('the workflow has begun', async () => (await client.workflows.get('begun')) !== undefined);
const text = JSON.stringify(await storedStreams(await jetstreamManager(connection)), undefined, 1);
// Stacks name the folder that the older version was built in.
const root = fileURLToPath(new URL('../../..', import.meta.url));
await writeFile(file, `${text.replaceAll(root, '/srv/stratum/')}\n`);
await client.close();
await connection.close();
await server.stop();
