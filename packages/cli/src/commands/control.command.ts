import type { OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { queueArgument, taskArgument } from '../frame/places.js';
import { integer, rateLimit } from '../frame/value-types.js';

const worker: OptionDeclaration = {
  flags: '--worker <worker>',
  description: 'only this worker; default: all',
};

export const controlCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Pause queues, limit rates, change concurrency, stop workers.',
  commands: [
    {
      name: 'pause',
      summary: 'Pause a queue until it is resumed, across restarts.',
      description: 'Running tasks go on.',
      arguments: [queueArgument],
      examples: ['sync'],
      run: async () => (await import('./control.js')).pause,
    },
    {
      name: 'resume',
      summary: 'Resume a paused queue.',
      arguments: [queueArgument],
      examples: ['sync'],
      run: async () => (await import('./control.js')).resume,
    },
    {
      name: 'concurrency',
      summary: 'Set how many tasks a worker runs at once, until it restarts.',
      arguments: [{ name: '<count>', description: 'tasks at once', type: integer(1, 10_000) }],
      options: [worker],
      examples: ['8'],
      run: async () => (await import('./control.js')).concurrency,
    },
    {
      name: 'rate-limit',
      summary: 'Limit how many runs of a task type start per interval, across all workers.',
      arguments: [
        taskArgument,
        { name: '<limit>', description: 'such as 10/s or 100/5m; none removes the limit', type: rateLimit },
      ],
      examples: ['sync_campaign_data 100/m'],
      run: async () => (await import('./control.js')).limitRate,
    },
    {
      name: 'shutdown',
      summary: 'Stop workers once their running tasks have ended.',
      options: [worker],
      examples: ['--worker host-4711-a1b2c3'],
      run: async () => (await import('./control.js')).shutdown,
    },
  ],
};
