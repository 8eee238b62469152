import { once } from 'node:events';
import { connectToNats, LOGIN_SETTINGS, loginFrom } from '@stratum/jobs';
import {
  loadConfiguration,
  printConfiguration,
  QUEUES,
  type ConfigurationKey,
  type QueueName,
} from '@stratum/shared';
import {
  createLogger,
  leaveBroker,
  settingsOf,
  startQueueServices,
  startTelemetry,
} from '@stratum/shared/service';
import { localEnvironment } from '../environment.js';
import { printData } from '../terminal.js';
import { loadWorkerService } from '../worker-services.js';

export interface WorkerCommandOptions {
  /** Default: all. */
  queues?: QueueName[];
  concurrency?: number;
  logLevel?: string;
  checkConfig?: boolean;
}

export async function runWorker(options: WorkerCommandOptions): Promise<void> {
  const { queues, concurrency, logLevel, checkConfig = false } = options;
  const served = queues ?? QUEUES.map(({ name }) => name);
  const services = await Promise.all(served.map(loadWorkerService));
  const settings: ConfigurationKey[] = [
    ...LOGIN_SETTINGS,
    'LOG_LEVEL',
    ...services.flatMap((service) => settingsOf(service)),
  ];
  const given = { ...(await localEnvironment()), ...(logLevel === undefined ? {} : { LOG_LEVEL: logLevel }) };
  if (checkConfig) {
    await printData(printConfiguration(settings, given));
    return;
  }
  const configuration = loadConfiguration<ConfigurationKey>(settings, given);
  const logger = createLogger('worker', configuration.LOG_LEVEL, given);
  const connection = await connectToNats({
    ...loginFrom(configuration),
    name: 'stratum-worker',
  });
  const telemetry = await startTelemetry('worker', logger);
  const shutdown = new AbortController();
  const asked = once(shutdown.signal, 'abort');
  try {
    const running = await startQueueServices<ConfigurationKey>(services, {
      configuration,
      connection,
      logger,
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(telemetry === undefined ? {} : { tracer: telemetry.tracer }),
      onShutdownRequest: () => shutdown.abort(),
    });
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), asked]);
    await running.stop();
  } finally {
    await telemetry?.stop();
    await leaveBroker(connection, logger);
  }
}
