import type { TopLevelCommand } from '../frame/declaration.js';
import { CHECK_CONFIG } from './service.command.js';
import { integer } from '../frame/value-types.js';

export const workerCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Run a worker in this process, for development.',
  options: [
    {
      flags: '-Q, --queues <queues>',
      description: 'queues to serve, comma-separated; all of them share the concurrency',
      choices: async () => (await import('@stratum/shared')).QUEUES.map(({ name }) => name),
      list: true,
      defaultText: 'all',
    },
    { flags: '-c, --concurrency <count>', description: 'tasks at once', type: integer(1, 10_000) },
    {
      flags: '-l, --log-level <level>',
      description: 'lowest level of the lines that are written',
      choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      defaultText: 'LOG_LEVEL, or info',
    },
    CHECK_CONFIG,
  ],
  json: false,
  examples: ['', '-Q sync,rules -c 8', '-Q ml --log-level debug'],
  run: async () => (await import('./worker.js')).runWorker,
};
