/** A real broker for one test, removed afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/nats-core';
import { createClient, type JobsClient } from '../client/client.js';
import { connectToNats } from '../broker/connect.js';
import { findNatsServer } from '../embedded/find-nats-server.js';
import { startNatsServer } from '../embedded/nats-server.js';
import { defineTopology, type Topology, type TopologyOptions } from '../topology/define.js';
import { reconcileTopology } from '../topology/reconcile.js';
import type { TaskHandler } from '../worker/registry.js';
import { createWorker, type Worker } from '../worker/worker.js';
import type { WorkerOptions } from '../worker/worker-config.js';

export interface TestBrokerOptions extends TopologyOptions {
  /** A nats-server program. Default: found or fetched, and cached in `cacheDir`. */
  binary?: string;
  /** Default `.stratum`. */
  cacheDir?: string;
}

export interface TestBroker {
  readonly url: string;
  readonly connection: NatsConnection;
  readonly topology: Topology;
  readonly client: JobsClient;
  /** Starts a worker for all queues of the handlers. It stops with the broker. */
  worker(handlers: readonly TaskHandler[], options?: Partial<WorkerOptions>): Worker;
  /** Stops workers, client and server, and removes their data. Idempotent. */
  stop(): Promise<void>;
}

/** Starts a NATS server with temporary data, creates the topology, and connects a client. */
export async function startTestBroker({
  binary,
  cacheDir = '.stratum',
  ...options
}: TestBrokerOptions): Promise<TestBroker> {
  const path = binary ?? (await findNatsServer({ cacheDir })).path;
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-broker-'));
  const server = await startNatsServer({ binary: path, dataDir });
  const topology = defineTopology(options);
  const connection = await connectToNats({ servers: server.url, name: 'test' });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  const workers: Worker[] = [];
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await client.close();
    await connection.close();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  return {
    url: server.url,
    connection,
    topology,
    client,
    worker: (handlers, workerOptions) => {
      const queues = [...new Set(handlers.map(({ contract }) => contract.queue))];
      const worker = createWorker({ connection, topology, queues, handlers, ...workerOptions });
      workers.push(worker);
      worker.start();
      return worker;
    },
    stop: () => (stopping ??= stop()),
  };
}
