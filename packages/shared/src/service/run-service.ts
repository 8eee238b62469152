/** The frame of every service: settings, logger, connections, a clean end. */
import { EventEmitter } from 'node:events';
import { connectToNats, LOGIN_SETTINGS, loginFrom, type Tracer } from '@stratum/jobs';
import { JobsMetrics } from '@stratum/jobs/metrics';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { configure, endWithProblems } from './configure.js';
import { leaveBroker } from './leave-broker.js';
import { createLogger } from './logger.js';
import { metricsPorts } from './metrics-ports.js';
import { startMonitoring, type MonitoringOptions, type MonitoringServer } from './monitoring-server.js';
import { startTelemetry } from './telemetry.js';
import type { Configuration, ConfigurationKey } from '../configuration/configuration.js';
import { ConfigurationError } from '../configuration/settings.js';
import type { ServiceName } from '../services.js';

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
  name: ServiceName;
  /** Settings that this service needs besides the frame's own. */
  settings: readonly Key[];
  /** What no setting says alone, before anything is opened. @throws ConfigurationError */
  check?: (configuration: Pick<Configuration, Key>) => void | Promise<void>;
  start: (context: ServiceContext<Key>) => Promise<Running>;
}

const BASE_KEYS = [
  ...LOGIN_SETTINGS,
  'LOG_LEVEL',
  'METRICS_HOST',
  'METRICS_PORT',
] as const satisfies readonly ConfigurationKey[];
type BaseKey = (typeof BASE_KEYS)[number];

/** Of the event loop's delay. Each sample wakes an idle process up, and the default of 10 ms costs a percent of a processor. */
const LOOP_RESOLUTION_MS = 40;
/** Gauges with the name of counters. Each is the sum of another metric, which stays. */
const MISNAMED_SUMS = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

/**
 * Starts a service and keeps it until SIGTERM, SIGINT, or the end of the program that started it. A failure to start is
 * one log line and exit code 1; a configuration that is not valid is exit code 78, before anything is opened. Tells a parent
 * process `{ type: 'ready' }` when it is up.
 */
export async function runService<Key extends ConfigurationKey>(options: ServiceOptions<Key>): Promise<void> {
  const isChild = process.connected;
  const { name, check } = options;
  const configuration = await configure<Key | BaseKey>({
    name,
    settings: [...BASE_KEYS, ...options.settings],
    ...(check === undefined ? {} : { check }),
  });
  const logger = createLogger(name, configuration.LOG_LEVEL);
  const started = endOnSignalWhileStarting(logger, isChild);
  try {
    const connection = await connectToNats({ ...loginFrom(configuration), name });
    const registry = new Registry();
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_RESOLUTION_MS });
    for (const sum of MISNAMED_SUMS) registry.removeSingleMetric(sum);
    const metrics = new JobsMetrics(registry);
    let problem: () => string | undefined = stillStarting;
    // Before the work begins: a service whose port is taken must not have taken tasks.
    const monitoring = await monitor(name, configuration, {
      registry,
      connection,
      problem: () => problem(),
    });
    const telemetry = await startTelemetry(name, logger);
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
    problem = () =>
      (running.isReady?.() ?? true)
        ? undefined
        : 'the database, or the role of this service there, cannot be used';
    started();
    stopOnSignal(logger, shutdown, isChild, async () => {
      await running.stop();
      await monitoring?.stop();
      await telemetry?.stop();
      await leaveBroker(connection, logger);
    });
    tellParent({ type: 'ready', ...(running.url === undefined ? {} : { url: running.url }) });
    logger.info({ metrics_port: monitoring?.port }, 'ready');
  } catch (error) {
    if (error instanceof ConfigurationError) endWithProblems(error, name);
    logger.fatal({ err: error }, error instanceof Error ? error.message : 'the service could not start');
    process.exit(1);
  }
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
const stillStarting = (): string => 'it is still starting';

/** At the first free one of the service's own ports; `undefined` where no port is set. */
async function monitor(
  name: ServiceName,
  { METRICS_HOST: host, METRICS_PORT: range }: Pick<Configuration, 'METRICS_HOST' | 'METRICS_PORT'>,
  options: Omit<MonitoringOptions, 'host' | 'port'>,
): Promise<MonitoringServer | undefined> {
  if (range === undefined) return undefined;
  const own = metricsPorts(range, name);
  for (const port of own) {
    try {
      return await startMonitoring({ ...options, host, port });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    }
  }
  throw new Error(
    `METRICS_PORT: ${own.length === 0 ? 'the range has no port for this service' : `${own.join(', ')}: in use`}. Services on one machine need a range, such as METRICS_PORT=9100-9199: each takes ports of its own from it.`,
  );
}

/** A parent that has just ended hears nothing, which is no failure of this process. */
function tellParent(message: { type: string; url?: string }): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/**
 * Nothing has to be finished before the service is up. Without this, a container's first process would ignore SIGTERM while it waits for NATS.
 * @returns ends this, for `stopOnSignal` to follow at once
 */
function endOnSignalWhileStarting(logger: Logger, isChild: boolean): () => void {
  const end = (reason: string): never => {
    logger.info({ reason }, 'stopped while starting');
    process.exit(0);
  };
  const onDisconnect = (): never => end('the parent process ended');
  for (const signal of SIGNALS) process.on(signal, end);
  if (isChild) process.on('disconnect', onDisconnect);
  return () => {
    for (const signal of SIGNALS) process.off(signal, end);
    process.off('disconnect', onDisconnect);
  };
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
  for (const signal of SIGNALS) process.on(signal, end);
  const onDisconnect = (): void => end('the parent process ended');
  process.on('disconnect', onDisconnect);
  if (isChild && !process.connected) onDisconnect();
}
