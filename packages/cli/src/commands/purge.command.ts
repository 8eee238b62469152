import type { TopLevelCommand } from '../frame/declaration.js';

export const purgeCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Delete all queued and delayed tasks of a queue, or of all queues.',
  description: 'Running tasks go on.',
  arguments: [{ name: '[queue]', description: 'name of the queue', defaultText: 'all queues' }],
  options: [
    { flags: '--yes', description: 'do not ask for confirmation' },
    { flags: '--force', description: 'the same as --yes' },
  ],
  examples: ['intel', '--yes'],
  run: async () => (await import('./purge.js')).purge,
};
