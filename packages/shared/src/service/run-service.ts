/** The frame of every service: settings, logger, connections, a clean end. */
import { EventEmitter } from 'node:events';
import { connectToNats, LOGIN_SETTINGS, loginFrom, type Tracer } from '@stratum/jobs';
import { JobsMetrics } from '@stratum/jobs/metrics';
import type { NatsConnection } from '@nats-io/transport-node';
import { pino, type Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { startMonitoring } from './monitoring-server.js';
import { startTelemetry } from './telemetry.js';
import {
  loadConfiguration,
  type Configuration,
  type ConfigurationKey,
} from '../configuration/configuration.js';

/** Something that has been started. */
export interface Running {
  /** Where it listens, when it does. */
  readonly url?: string;
  /** Whether it can do its work; absent: it always can. */
  isReady?(): boolean;
  stop(): Promise<void>;
}

export interface ServiceContext<Key extends ConfigurationKey> {
  configuration: Pick<Configuration, Key | BaseKey>;
  logger: Logger;
  connection: NatsConnection;
  /** Registry of the service's metrics. */
  registry: Registry;
  metrics: JobsMetrics;
  /** Ends the process, as SIGTERM does. */
  onShutdownRequest?: () => void;
  /** Where OpenTelemetry is switched on. */
  tracer?: Tracer;
}

export interface ServiceOptions<Key extends ConfigurationKey> {
  name: string;
  /** Settings that this service needs besides the frame's own. */
  settings: readonly Key[];
  start: (context: ServiceContext<Key>) => Promise<Running>;
}

const BASE_KEYS = [
  ...LOGIN_SETTINGS,
  'LOG_LEVEL',
  'METRICS_HOST',
  'METRICS_PORT',
] as const satisfies readonly ConfigurationKey[];
type BaseKey = (typeof BASE_KEYS)[number];

/** Names of fields that never reach a log, at any depth. */
const SECRET_FIELDS = [
  'accessToken',
  'refreshToken',
  'clientSecret',
  'developerToken',
  'password',
  'authorization',
];
/** Of the event loop's delay. Each sample wakes an idle process up, and the default of 10 ms costs a percent of a processor. */
const LOOP_RESOLUTION_MS = 40;
const REDACT = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);

/**
 * Starts a service and keeps it until SIGTERM, SIGINT, or the end of the program that started it. A failure to start is
 * one log line and exit code 1. Tells a parent process `{ type: 'ready' }` when it is up.
 */
export async function runService<Key extends ConfigurationKey>(options: ServiceOptions<Key>): Promise<void> {
  const logger = pino({ name: options.name, level: process.env['LOG_LEVEL'] || 'info', redact: REDACT });
  const isChild = process.connected;
  try {
    const configuration = loadConfiguration<Key | BaseKey>([...BASE_KEYS, ...options.settings]);
    const connection = await connectToNats({
      ...loginFrom(configuration),
      name: options.name,
    });
    const telemetry = await startTelemetry(options.name, logger);
    const registry = new Registry();
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_RESOLUTION_MS });
    const metrics = new JobsMetrics(registry);
    const shutdown = new EventEmitter();
    const running = await options.start({
      configuration,
      logger,
      connection,
      registry,
      metrics,
      onShutdownRequest: () => shutdown.emit('request'),
      ...(telemetry === undefined ? {} : { tracer: telemetry.tracer }),
    });
    const { METRICS_HOST: host, METRICS_PORT: port } = configuration;
    const isReady = (): boolean => running.isReady?.() ?? true;
    const monitoring =
      port === undefined ? undefined : await startMonitoring({ host, port, registry, connection, isReady });
    stopOnSignal(logger, shutdown, isChild, async () => {
      await running.stop();
      await monitoring?.stop();
      await telemetry?.stop();
      await connection.drain();
    });
    tellParent({ type: 'ready', ...(running.url === undefined ? {} : { url: running.url }) });
    logger.info('ready');
  } catch (error) {
    logger.fatal({ err: error }, error instanceof Error ? error.message : 'the service could not start');
    process.exit(1);
  }
}

/** A parent that has just ended hears nothing, which is no failure of this process. */
function tellParent(message: { type: string; url?: string }): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** @param isChild whether there was a parent process when this one began; it may have ended during the start */
function stopOnSignal(
  logger: Logger,
  shutdown: EventEmitter,
  isChild: boolean,
  stop: () => Promise<void>,
): void {
  let stopping = false;
  const end = (reason: string): void => {
    if (stopping) return;
    stopping = true;
    logger.info({ reason }, 'stopping');
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'did not stop cleanly');
        process.exit(1);
      },
    );
  };
  shutdown.on('request', () => end('a request over NATS'));
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  const onDisconnect = (): void => end('the parent process ended');
  process.on('disconnect', onDisconnect);
  if (isChild && !process.connected) onDisconnect();
}
