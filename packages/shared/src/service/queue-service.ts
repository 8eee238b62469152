/** A worker of one queue as a service: what differs between them is the handlers and what those need. */
import type { JobsClient, TaskHandler, Topology } from '@stratum/jobs';
import { createClient } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import type { Configuration, ConfigurationKey } from '../configuration/configuration.js';
import { openDatabase } from '../database/database.js';
import { platformTopology, type QueueName } from '../queues.js';
import { roleOf, workerOf } from '../services.js';
import { runService, type Running } from './run-service.js';
import { startPlatformWorker, WORKER_SETTINGS } from './worker-settings.js';
import type { JobsMetrics } from '@stratum/jobs/metrics';

const QUEUE_SETTINGS = [
  ...WORKER_SETTINGS,
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'DATABASE_STATEMENT_TIMEOUT',
] as const satisfies readonly ConfigurationKey[];
type QueueSetting = (typeof QUEUE_SETTINGS)[number];

/** Resources for handlers. */
export interface HandlerResources<Key extends ConfigurationKey> {
  /** Connected with the role of the queue's worker. */
  pool: Pool;
  connection: NatsConnection;
  client: JobsClient;
  topology: Topology;
  configuration: Pick<Configuration, Key | QueueSetting>;
  logger: Logger;
  /** For metrics of its own; `undefined` where nobody reads them. */
  registry?: Registry | undefined;
}

export interface QueueService<Key extends ConfigurationKey = ConfigurationKey> {
  queue: QueueName;
  /** Settings that the handlers need besides a worker's own. */
  settings: readonly Key[];
  /** Database connections that one running task may hold at once. Default 1. */
  connectionsPerTask?: number;
  createHandlers: (
    resources: HandlerResources<Key>,
  ) => readonly TaskHandler[] | Promise<readonly TaskHandler[]>;
  /** Starts the service's further work besides the tasks of its queue; stopped with it. */
  startBeside?: (resources: HandlerResources<Key>) => Promise<Running>;
}

export interface QueueServiceContext {
  configuration: Configuration;
  connection: NatsConnection;
  logger: Logger;
  metrics?: JobsMetrics;
  registry?: Registry;
  /** Default: as configured. */
  concurrency?: number;
}

/** Settings that the worker of this queue reads. */
export function settingsOf<Key extends ConfigurationKey>(service: QueueService<Key>): (Key | QueueSetting)[] {
  return [...QUEUE_SETTINGS, ...service.settings];
}

export async function startQueueService<Key extends ConfigurationKey>(
  service: QueueService<Key>,
  context: Omit<QueueServiceContext, 'configuration'> & {
    configuration: Pick<Configuration, Key | QueueSetting>;
  },
): Promise<Running> {
  const { configuration, connection, logger } = context;
  const concurrency = context.concurrency ?? configuration.WORKER_CONCURRENCY;
  const name = workerOf(service.queue);
  const pool = openDatabase({
    url: configuration.DATABASE_URL,
    name,
    role: roleOf(name),
    poolSize: Math.max(configuration.DATABASE_POOL_SIZE, (service.connectionsPerTask ?? 1) * concurrency),
    statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT,
  });
  const topology = platformTopology(configuration);
  const client = createClient({ connection, topology });
  const resources = { pool, connection, client, topology, configuration, logger, registry: context.registry };
  let beside: Running | undefined;
  try {
    const handlers = await service.createHandlers(resources);
    beside = await service.startBeside?.(resources);
    const worker = await startPlatformWorker({
      configuration,
      connection,
      logger,
      ...(context.metrics === undefined ? {} : { metrics: context.metrics }),
      queues: [service.queue],
      handlers,
      concurrency,
    });
    return {
      stop: async () => {
        await Promise.all([worker.stop(), beside?.stop()]);
        await client.close();
        await pool.end();
      },
    };
  } catch (error) {
    await beside?.stop();
    await client.close();
    await pool.end();
    throw error;
  }
}

/** The service as a process of its own. */
export function runQueueService<Key extends ConfigurationKey>(service: QueueService<Key>): Promise<void> {
  return runService({
    name: workerOf(service.queue),
    settings: settingsOf(service),
    start: (context) => startQueueService(service, context),
  });
}
