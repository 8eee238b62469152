import type { TopLevelCommand } from '../frame/declaration.js';
import { integer } from '../frame/value-types.js';

export const workerCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Run a worker in this process, for development.',
  options: [
    {
      flags: '-Q, --queues <queues>',
      description: 'queues to serve, comma-separated, or all',
      choices: async () => (await import('@stratum/shared')).QUEUES.map(({ name }) => name),
      list: true,
      required: true,
    },
    { flags: '-c, --concurrency <count>', description: 'tasks at once', type: integer(1, 10_000) },
  ],
  json: false,
  examples: ['-Q sync -c 8'],
  run: async () => (await import('./worker.js')).runWorker,
};
