import { once } from 'node:events';
import { connectToNats } from '@stratum/jobs';
import {
  loadConfiguration,
  QUEUES,
  settingsOf,
  startQueueService,
  type ConfigurationKey,
  type QueueName,
  type Running,
} from '@stratum/shared';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { parseCount } from '../arguments.js';
import { localEnvironment } from '../environment.js';
import { WORKER_SERVICES } from '../worker-services.js';

export function workerCommand(): Command {
  return new Command('worker')
    .description('Run a worker in this process, for development.')
    .requiredOption('-Q, --queues <queues>', 'queues to serve, comma-separated', parseQueues)
    .option('-c, --concurrency <count>', 'tasks at once', parseCount)
    .addHelpText('after', '\nExample:\n  stratum worker -Q sync -c 8')
    .action(runWorker);
}

async function runWorker(options: { queues: QueueName[]; concurrency?: number }): Promise<void> {
  const services = await Promise.all(options.queues.map((queue) => WORKER_SERVICES[queue]()));
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

function parseQueues(text: string): QueueName[] {
  return text.split(',').map((name) => {
    const queue = QUEUES.find((each) => each.name === name.trim());
    if (queue !== undefined) return queue.name;
    throw new InvalidArgumentError(
      `There is no queue "${name}". The queues are: ${QUEUES.map((each) => each.name).join(', ')}.`,
    );
  });
}
