import type { TopLevelCommand } from '../frame/declaration.js';

export const topologyCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Create the streams that the queues need on the NATS server.',
  commands: [
    {
      name: 'reconcile',
      summary: "Create the missing streams of the application's queues, and update those that differ.",
      description: 'Streams that the application no longer declares stay.',
      options: [
        { flags: '--dry-run', description: 'change nothing; list the changes' },
        {
          flags: '--lower',
          description:
            'also lower copies, ages, sizes and windows that the server holds higher than configured',
        },
      ],
      examples: ['--dry-run', '', '--lower --dry-run', '--config ./stratum.config.js'],
      run: async () => (await import('./topology.js')).reconcile,
    },
  ],
};
