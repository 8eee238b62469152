import type { TopLevelCommand } from '../frame/declaration.js';

export const queuesCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Show how many tasks each queue holds.',
  examples: ['', '--json'],
  run: async () => (await import('./queues.js')).queues,
};
