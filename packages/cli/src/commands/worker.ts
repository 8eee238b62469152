import { once } from 'node:events';
import { connectToNats } from '@stratum/jobs';
import {
  loadConfiguration,
  settingsOf,
  startQueueService,
  type ConfigurationKey,
  type QueueName,
  type Running,
} from '@stratum/shared';
import { pino } from 'pino';
import { localEnvironment } from '../environment.js';
import { loadWorkerService } from '../worker-services.js';

export async function runWorker(options: { queues: QueueName[]; concurrency?: number }): Promise<void> {
  const services = await Promise.all(options.queues.map(loadWorkerService));
  const configuration = loadConfiguration<ConfigurationKey>(
    ['NATS_URL', 'NATS_CREDS', 'LOG_LEVEL', ...services.flatMap((service) => settingsOf(service))],
    await localEnvironment(),
  );
  const logger = pino({ name: 'worker', level: configuration.LOG_LEVEL });
  const connection = await connectToNats({
    servers: configuration.NATS_URL,
    name: 'stratum-worker',
    ...(configuration.NATS_CREDS === undefined ? {} : { credsFile: configuration.NATS_CREDS }),
  });
  const { concurrency } = options;
  const running: Running[] = [];
  try {
    for (const service of services) {
      const context = {
        configuration,
        connection,
        logger,
        ...(concurrency === undefined ? {} : { concurrency }),
      };
      running.push(await startQueueService<ConfigurationKey>(service, context));
    }
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  } finally {
    await Promise.all(running.map((each) => each.stop()));
    await connection.drain();
  }
}
