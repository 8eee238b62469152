import { once } from 'node:events';
import { connectToNats } from '@stratum/jobs';
import {
  endpointsFrom,
  loadConfiguration,
  openDatabase,
  QUEUES,
  startPlatformWorker,
  WORKER_SETTINGS,
  type QueueName,
} from '@stratum/shared';
import { createSyncHandlers, SYNC_SETTINGS } from '@stratum/sync-worker';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { localEnvironment } from '../environment.js';

export function workerCommand(): Command {
  return new Command('worker')
    .description('Run a worker in this process, for development.')
    .requiredOption('-Q, --queues <names>', 'queues to serve, comma-separated', parseQueues)
    .option('-c, --concurrency <count>', 'tasks at once', parseCount)
    .addHelpText('after', '\nExample:\n  stratum worker -Q sync -c 8')
    .action(runWorker);
}

async function runWorker(options: { queues: QueueName[]; concurrency?: number }): Promise<void> {
  const configuration = loadConfiguration(
    ['NATS_URL', 'NATS_CREDS', 'LOG_LEVEL', ...WORKER_SETTINGS, ...SYNC_SETTINGS],
    await localEnvironment(),
  );
  const logger = pino({ name: 'worker', level: configuration.LOG_LEVEL });
  const connection = await connectToNats({
    servers: configuration.NATS_URL,
    name: 'stratum-worker',
    ...(configuration.NATS_CREDS === undefined ? {} : { credsFile: configuration.NATS_CREDS }),
  });
  const concurrency = options.concurrency ?? configuration.WORKER_CONCURRENCY;
  const pool = openDatabase({
    url: configuration.DATABASE_URL,
    name: 'stratum-worker',
    role: 'stratum_sync_worker',
    poolSize: Math.max(configuration.DATABASE_POOL_SIZE, 2 * concurrency),
    statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT,
  });
  try {
    const handlers = createSyncHandlers({
      pool,
      keys: configuration.STRATUM_CREDENTIALS_KEY,
      endpoints: endpointsFrom(configuration),
      requestTimeoutMs: configuration.PLATFORM_REQUEST_TIMEOUT,
    });
    const worker = await startPlatformWorker({
      configuration,
      connection,
      logger,
      queues: options.queues,
      handlers,
      concurrency,
    });
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
    await worker.stop();
  } finally {
    await pool.end();
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

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('Give a whole number above 0.');
}
