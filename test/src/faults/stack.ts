/** A whole platform for one fault: a broker and processes of its own, a steady load, and a dashboard whose stream is followed. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { migrate } from '@stratum/cli/database';
import { startPostgres, type EmbeddedPostgres } from '@stratum/cli/embedded';
import {
  connectToNats,
  createClient,
  reconcileTopology,
  type JobsClient,
  type Topology,
} from '@stratum/jobs';
import { startNatsServer, type NatsServer } from '@stratum/jobs/embedded';
import { openDatabase, PLATFORM_TENANT_ID, withTenant } from '@stratum/shared';
import { ALL_SCOPES, createApiKey } from '@stratum/shared/api-keys';
import type { NatsConnection } from '@nats-io/transport-node';
import { inject, onTestFinished } from 'vitest';
import { callsOf, cookieOf } from '../dashboard/fixture.js';
import {
  dataFolder,
  freePort,
  spawnProgram,
  tcpProxy,
  waitFor,
  type SpawnedProgram,
  type TcpProxy,
} from '../harness/index.js';
import { ACK_WAIT_S, faultsTopology } from './environment.js';
import { followVerdicts, type Verdicts } from './verdicts.js';

export interface Stack {
  broker: NatsServer;
  /** Between the dashboard and the broker. */
  network: TcpProxy;
  database: { url: string; stop: () => Promise<void>; start: () => Promise<void> };
  connection: NatsConnection;
  client: JobsClient;
  topology: Topology;
  scheduler: SpawnedProgram;
  verdicts: Verdicts;
  /** Resolves once it is ready. */
  startWorker: (queue: string, options?: { slots?: number; knowsAll?: boolean }) => Promise<SpawnedProgram>;
  startScheduler: () => Promise<SpawnedProgram>;
  /** The path of a file that does not exist; tasks wait for it. */
  gate: string;
  /** Makes the file. */
  open: () => Promise<void>;
}

const PREFIX = 'faults';

/** With workers for `default` and `sync`, everything moving. */
export async function openStack(): Promise<Stack> {
  const folder = await dataFolder('stratum-faults-');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [broker, database] = await Promise.all([openBroker(folder), openOwnDatabase(folder)]);
  const topology = faultsTopology(PREFIX);
  const connection = await connectToNats({ servers: broker.url, name: 'faults' });
  onTestFinished(() => connection.close());
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  const environment = { NATS_URL: broker.url, STRATUM_PREFIX: PREFIX };
  const start = async (name: string, settings: NodeJS.ProcessEnv = {}): Promise<SpawnedProgram> => {
    const program = spawnProgram(`test/dist/faults/${name}-process.js`, { ...environment, ...settings });
    await program.ready();
    return program;
  };
  const startWorker: Stack['startWorker'] = (queue, { slots = 4, knowsAll = false } = {}) =>
    start('worker', {
      WORKER_QUEUE: queue,
      WORKER_SLOTS: String(slots),
      WORKER_KNOWS_ALL: knowsAll ? '1' : '0',
    });
  const startScheduler = (): Promise<SpawnedProgram> => start('scheduler');
  const network = await tcpProxy(broker.url);
  const [scheduler, verdicts] = await Promise.all([
    startScheduler(),
    openDashboard(network.url, database.url),
    startWorker('default'),
  ]);
  const gate = join(folder, 'gate');
  return {
    broker,
    network,
    database,
    connection,
    client,
    topology,
    scheduler,
    verdicts,
    startWorker,
    startScheduler,
    gate,
    open: () => writeFile(gate, ''),
  };
}

/** What it has acknowledged is on disk. */
async function openBroker(folder: string): Promise<NatsServer> {
  const broker = await startNatsServer({
    binary: inject('natsBinary'),
    dataDir: join(folder, 'nats'),
    syncInterval: 'always',
  });
  onTestFinished(() => broker.stop());
  return broker;
}

async function openOwnDatabase(folder: string): Promise<Stack['database']> {
  const port = await freePort();
  const start = (): Promise<EmbeddedPostgres> =>
    startPostgres({ dataDir: join(folder, 'postgres'), port, durable: false });
  let server = await start();
  onTestFinished(() => server.stop());
  await migrate({ databaseUrl: server.url });
  return {
    url: server.url,
    stop: () => server.stop(),
    start: async () => {
      server = await start();
    },
  };
}

async function openDashboard(natsUrl: string, databaseUrl: string): Promise<Verdicts> {
  const port = await freePort();
  const program = spawnProgram('services/dashboard/dist/main.js', {
    NATS_URL: natsUrl,
    DATABASE_URL: databaseUrl,
    STRATUM_PREFIX: PREFIX,
    TASK_ACK_WAIT: String(ACK_WAIT_S),
    DASHBOARD_PORT: String(port),
    LOG_LEVEL: 'warn',
  });
  await program.ready();
  const url = `http://127.0.0.1:${port}`;
  const { status, headers } = await callsOf(url)('POST', '/api/session', {
    key: await createKey(databaseUrl),
  });
  if (status !== 201) throw new Error(`The key was not accepted: ${status}`);
  return followVerdicts(url, cookieOf(headers));
}

async function createKey(databaseUrl: string): Promise<string> {
  const owner = openDatabase({ url: databaseUrl, name: 'faults', poolSize: 1 });
  try {
    const { text } = await withTenant(owner, PLATFORM_TENANT_ID, (client) =>
      createApiKey(client, { tenantId: PLATFORM_TENANT_ID, name: 'faults', scopes: ALL_SCOPES }),
    );
    return text;
  } finally {
    await owner.end();
  }
}

/** Resolves once nothing is wrong. */
export async function untilMoving({ verdicts }: Stack): Promise<void> {
  await waitFor('everything to move', () => verdicts.latest()?.verdict === 'moving');
}
