import type { ArgumentDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { taskArgument } from '../frame/places.js';
import { keyConcurrency, rateLimit } from '../frame/value-types.js';

const limitArgument: ArgumentDeclaration = { name: '<limit>', description: 'name of the limit' };

export const limitsCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Limits by key, such as two runs at once per ad account: list, set, reset.',
  commands: [
    {
      name: 'list',
      summary: 'List the limits by key, and the keys under which tasks run or wait.',
      examples: [''],
      run: async () => (await import('./limits.js')).listLimits,
    },
    {
      name: 'set',
      summary: 'Change a limit by key for all its keys, across all workers and restarts.',
      description: 'What the options leave out stays as it is in the contract.',
      arguments: [taskArgument, limitArgument],
      options: [
        {
          flags: '--concurrency <count>',
          description: 'tasks of one key at once; none removes the limit',
          type: keyConcurrency,
        },
        {
          flags: '--rate <rate>',
          description: 'starts of tasks of one key, such as 10/s or 500/h; none removes the limit',
          type: rateLimit,
        },
      ],
      examples: ['sync_campaign_data account --concurrency 3'],
      run: async () => (await import('./limits.js')).setLimit,
    },
    {
      name: 'reset',
      summary: 'Return a limit by key to what the contract says.',
      arguments: [taskArgument, limitArgument],
      examples: ['sync_campaign_data account'],
      run: async () => (await import('./limits.js')).resetLimit,
    },
  ],
};
