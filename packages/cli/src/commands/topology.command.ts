import { join } from 'node:path';
import type { TopLevelCommand } from '../frame/declaration.js';
import { ROOT } from '../stack/home.js';

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
    {
      name: 'accounts',
      summary: 'Write the NATS accounts, users and rights of the services and of producers.',
      description:
        "Reads producers.json in the folder: name, tenant, tasks and login of each program that is not the platform's own. Writes accounts.conf, observer.conf, producers/ and the tables of the README. STRATUM_QUEUE_SHARDS gives the shards of queues their rights, and spreads the tasks of other publishers over them.",
      options: [
        {
          flags: '--folder <folder>',
          description: 'folder of producers.json and of what is written',
          default: join(ROOT, 'deploy', 'nats'),
          defaultText: 'deploy/nats',
        },
        { flags: '--prefix <prefix>', description: 'first token of every subject (default: stratum)' },
        { flags: '--check', description: 'write nothing; fail when the files are out of date' },
      ],
      examples: ['--folder /etc/nats/stratum', '--check'],
      run: async () => (await import('./account-rights.js')).writeAccounts,
    },
  ],
};
