import type { TopLevelCommand } from '../frame/declaration.js';
import { queueArgument } from '../frame/places.js';

export const purgeCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Delete all queued and delayed tasks of a queue.',
  description: 'Running tasks go on.',
  arguments: [queueArgument],
  options: [{ flags: '--force', description: 'do not ask for confirmation' }],
  examples: ['intel --force'],
  run: async () => (await import('./purge.js')).purge,
};
