/** Workers of queues as services: what differs between them is the handlers and what those need. */
import type { JobsClient, TaskHandler, Topology, Tracer } from '@stratum/jobs';
import { createClient, TaskError } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import type { Configuration, ConfigurationKey } from '../configuration/configuration.js';
import { openDatabase, requireRole } from '../database/database.js';
import { platformTopology, type QueueName } from '../queues.js';
import { FollowedTenants } from '../tenants/followed-tenants.js';
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
  tracer?: Tracer;
  /** Default: as configured. */
  concurrency?: number;
  /** The worker was asked, over NATS, to shut down, and has stopped. */
  onShutdownRequest?: () => void;
}

/** Settings that the worker of this queue reads. */
export function settingsOf<Key extends ConfigurationKey>(service: QueueService<Key>): (Key | QueueSetting)[] {
  return [...QUEUE_SETTINGS, ...service.settings];
}

/** A service's part of a worker: its handlers, and what they use. */
interface ServicePart {
  pool: Pool;
  handlers: readonly TaskHandler[];
  /** Rejects while its database, or its role there, cannot be used. */
  probe: () => Promise<unknown>;
  stop: () => Promise<void>;
}

async function openPart<Key extends ConfigurationKey>(
  service: QueueService<Key>,
  { configuration, connection, logger, registry, tracer }: StartedContext<Key>,
  concurrency: number,
): Promise<ServicePart> {
  const name = workerOf(service.queue);
  const pool = openDatabase({
    url: configuration.DATABASE_URL,
    name,
    role: roleOf(name),
    poolSize: Math.max(configuration.DATABASE_POOL_SIZE, (service.connectionsPerTask ?? 1) * concurrency),
    statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT,
  });
  const topology = platformTopology(configuration);
  const client = createClient({ connection, topology, ...(tracer === undefined ? {} : { tracer }) });
  let beside: Running | undefined;
  const stop = async (): Promise<void> => {
    await beside?.stop();
    await client.close();
    await pool.end();
  };
  try {
    const resources = { pool, connection, client, topology, configuration, logger, registry };
    const handlers = await service.createHandlers(resources);
    beside = await service.startBeside?.(resources);
    const probe = (): Promise<unknown> => requireRole(pool, roleOf(name));
    return { pool, handlers: handlers.map(withVerdict), probe, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** PostgreSQL's codes for a text that it cannot store: another attempt has the same text. */
const UNSTORABLE = new Set(['22021', '22P05']);

function withVerdict(handler: TaskHandler): TaskHandler {
  return {
    ...handler,
    prepare: (payload, tenant) => {
      const attempt = handler.prepare(payload, tenant);
      return async (context) => {
        try {
          return await attempt(context);
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && UNSTORABLE.has(String(error.code)))) throw error;
          throw new TaskError('A text holds NUL or half a surrogate pair, which the database cannot store.', {
            retryable: false,
            cause: error,
          });
        }
      };
    },
  };
}

type StartedContext<Key extends ConfigurationKey> = Omit<QueueServiceContext, 'configuration'> & {
  configuration: Pick<Configuration, Key | QueueSetting>;
};

export function startQueueService<Key extends ConfigurationKey>(
  service: QueueService<Key>,
  context: StartedContext<Key>,
): Promise<Running> {
  return startQueueServices([service], context);
}

/** One worker for the queues of all these services: they share its concurrency, and the weights of their lanes decide what goes first. */
export async function startQueueServices<Key extends ConfigurationKey>(
  services: readonly QueueService<Key>[],
  context: StartedContext<Key>,
): Promise<Running> {
  const { configuration, connection, logger, metrics, tracer, onShutdownRequest } = context;
  const concurrency = context.concurrency ?? configuration.WORKER_CONCURRENCY;
  const parts: ServicePart[] = [];
  let closed: FollowedTenants | undefined;
  const closeParts = async (): Promise<void> => {
    await closed?.stop();
    await Promise.all(parts.map((part) => part.stop()));
  };
  try {
    for (const service of services) parts.push(await openPart(service, context, concurrency));
    const [first] = parts;
    if (first === undefined) throw new Error('A worker needs the service of one queue at least.');
    const tenants = (closed = new FollowedTenants(first.pool, logger));
    await tenants.start();
    const worker = await startPlatformWorker({
      configuration,
      connection,
      logger,
      ...(metrics === undefined ? {} : { metrics }),
      ...(tracer === undefined ? {} : { tracer }),
      ...(onShutdownRequest === undefined ? {} : { onShutdownRequest }),
      queues: services.map(({ queue }) => queue),
      handlers: parts.flatMap(({ handlers }) => handlers),
      concurrency,
      closedTenants: tenants,
      readiness: () => Promise.all([tenants.probe(), ...parts.map((part) => part.probe())]),
    });
    return {
      isReady: () => worker.isReady,
      stop: async () => {
        await worker.stop();
        await closeParts();
      },
    };
  } catch (error) {
    await closeParts();
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
