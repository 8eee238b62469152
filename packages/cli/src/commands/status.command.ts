import type { TopLevelCommand } from '../frame/declaration.js';

export const statusCommand: TopLevelCommand = {
  group: 'Getting started',
  summary: 'Show what runs, its addresses, and what the queues hold.',
  examples: ['', '--json'],
  run: async () => (await import('./status.js')).status,
};
