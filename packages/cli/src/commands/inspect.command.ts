import type { TopLevelCommand } from '../frame/declaration.js';

export const inspectCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Ask workers about their state and tasks.',
  arguments: [
    {
      name: '<what>',
      description: 'question',
      choices: async () => (await import('@stratum/jobs')).INSPECT_VERBS,
    },
  ],
  options: [{ flags: '--worker <worker>', description: 'ask only this worker' }],
  examples: ['ping', 'active', 'stats --json'],
  run: async () => (await import('./inspect.js')).inspect,
};
