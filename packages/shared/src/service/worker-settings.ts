/** Settings and start of the workers of all queues. */
import {
  createWorker,
  reconcileTopology,
  type ClosedTenants,
  type TaskHandler,
  type Tracer,
  type Worker,
} from '@stratum/jobs';
import type { JobsMetrics } from '@stratum/jobs/metrics';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Configuration, ConfigurationKey } from '../configuration/configuration.js';
import { platformTopology, TOPOLOGY_SETTINGS, type QueueName } from '../queues.js';

export const WORKER_SETTINGS = [
  ...TOPOLOGY_SETTINGS,
  'WORKER_CONCURRENCY',
  'WORKER_PREFETCH_MULTIPLIER',
  'WORKER_SHUTDOWN_GRACE',
  'TASK_UNKNOWN_FOR',
  'TASK_MAX_RETRIES',
  'TASK_RETRY_DELAY',
  'TASK_TIME_LIMIT',
  'TASK_SOFT_TIME_LIMIT',
] as const satisfies readonly ConfigurationKey[];

export interface PlatformWorkerOptions {
  configuration: Pick<Configuration, (typeof WORKER_SETTINGS)[number]>;
  connection: NatsConnection;
  logger: Logger;
  queues: readonly QueueName[];
  handlers: readonly TaskHandler[];
  metrics?: JobsMetrics;
  tracer?: Tracer;
  /** Default: as configured. */
  concurrency?: number;
  /** Rejects while the handlers' database cannot be used. */
  readiness?: () => Promise<unknown>;
  closedTenants?: ClosedTenants;
  onShutdownRequest?: () => void;
}

/** A worker of the platform's queues, started, as configured. Streams and consumers are brought into being first. */
export async function startPlatformWorker(options: PlatformWorkerOptions): Promise<Worker> {
  const { configuration, connection, logger, queues, handlers } = options;
  const topology = platformTopology(configuration);
  await reconcileTopology(connection, topology, { logger });
  const worker = createWorker({
    connection,
    topology,
    queues,
    handlers,
    logger,
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    ...(options.readiness === undefined ? {} : { readiness: options.readiness }),
    ...(options.closedTenants === undefined ? {} : { closedTenants: options.closedTenants }),
    ...(options.onShutdownRequest === undefined ? {} : { onShutdownRequest: options.onShutdownRequest }),
    ...(options.tracer === undefined ? {} : { tracer: options.tracer }),
    concurrency: options.concurrency ?? configuration.WORKER_CONCURRENCY,
    prefetchMultiplier: configuration.WORKER_PREFETCH_MULTIPLIER,
    shutdownGraceMs: configuration.WORKER_SHUTDOWN_GRACE,
    unknownForMs: configuration.TASK_UNKNOWN_FOR,
    defaults: {
      maxRetries: configuration.TASK_MAX_RETRIES,
      backoff: { kind: 'fixed', delayMs: configuration.TASK_RETRY_DELAY },
      timeLimitMs: configuration.TASK_TIME_LIMIT,
      softTimeLimitMs: configuration.TASK_SOFT_TIME_LIMIT,
    },
  });
  worker.start();
  return worker;
}
