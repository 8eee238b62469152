/** A tenant on the sandbox, its database, and a worker that syncs it. */
import {
  createClient,
  reconcileTopology,
  defineTopology,
  createWorker,
  type JobsClient,
  type TaskRecord,
  type Topology,
} from '@stratum/jobs';
import { startSandbox, type Sandbox, type SandboxOptions } from '@stratum/sandbox';
import { parseKeyRing, QUEUES, syncCampaignData } from '@stratum/shared';
import { markForDemonstration, seed } from '@stratum/cli/demonstration';
import type { PlatformName } from '@stratum/connectors/ad-platforms';
import { createSyncHandlers } from '@stratum/sync-worker';
import type { NatsConnection } from '@nats-io/transport-node';
import { onTestFinished } from 'vitest';
import { testDatabase, testKeyText, testNamespace, type TestDatabase } from '../harness/index.js';

export const TODAY = '2026-11-20';

export interface SyncSetup {
  sandbox: Sandbox;
  database: TestDatabase;
  connection: NatsConnection;
  topology: Topology;
  client: JobsClient;
  natsUrl: string;
  prefix: string;
  keyText: string;
  startWorker(): void;
  /** Enqueues a sync of the tenant and waits for its record. */
  sync(platform: PlatformName, tenantId?: number): Promise<TaskRecord>;
}

export async function openSync(options: SandboxOptions = {}): Promise<SyncSetup> {
  const sandbox = await startSandbox({ now: () => new Date(`${TODAY}T12:00:00Z`), ...options });
  onTestFinished(() => sandbox.stop());
  const [database, { connection, prefix, natsUrl }] = await Promise.all([testDatabase(), testNamespace()]);
  const keyText = testKeyText();
  const keys = parseKeyRing(keyText);
  await markForDemonstration(database.owner);
  await seed(database.owner, keys);
  const topology = defineTopology({ prefix, queues: QUEUES, ackWaitMs: 2_000 });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  const dependencies = {
    pool: database.syncWorker,
    keys,
    endpoints: sandbox.endpoints,
    requestTimeoutMs: 5_000,
    busyWaitMs: 500,
    now: () => new Date(`${sandbox.today()}T12:00:00Z`),
  };
  return {
    sandbox,
    database,
    connection,
    topology,
    client,
    natsUrl,
    prefix,
    keyText,
    startWorker: () => {
      const worker = createWorker({
        connection,
        topology,
        queues: ['sync'],
        handlers: createSyncHandlers(dependencies),
      });
      worker.start();
      onTestFinished(() => worker.stop());
    },
    sync: async (platform, tenantId = 1) => {
      const { id } = await client.enqueue(
        syncCampaignData,
        { tenant_id: tenantId, platform },
        { maxRetries: 0 },
      );
      return client.result(id);
    },
  };
}
