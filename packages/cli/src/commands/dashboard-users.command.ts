import type { ArgumentDeclaration, OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { count } from '../frame/value-types.js';

const email: ArgumentDeclaration = { name: '<email>', description: 'e-mail address of the person' };
const choices = async (): Promise<readonly string[]> =>
  (await import('@stratum/shared/dashboard-users')).ROLES;
const role: OptionDeclaration = {
  flags: '--role <role>',
  description: 'what the person may do: see, act, or everything',
  choices,
};

export const dashboardUsersCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Manage who signs in to the dashboard at the provider of identities.',
  commands: [
    {
      name: 'list',
      summary: 'List the people of the platform and of all tenants.',
      options: [{ flags: '--tenant <id>', description: 'of this tenant alone', type: count }],
      examples: ['', '--tenant 1'],
      run: async () => (await import('./dashboard-users.js')).list,
    },
    {
      name: 'add',
      summary: 'Let a person sign in.',
      description: 'The provider has to say that the address is the person’s, and verified.',
      arguments: [email],
      options: [
        { ...role, default: 'viewer' },
        {
          flags: '--tenant <id>',
          description: 'tenant whose data alone the person sees; default: the whole platform',
          type: count,
        },
      ],
      examples: ['ana@example.com --role operator', 'ben@example.com --tenant 1'],
      run: async () => (await import('./dashboard-users.js')).add,
    },
    {
      name: 'change',
      summary: 'Give a person another role, lock them out or let them in again.',
      description: 'It holds at once, for sessions that are open too.',
      arguments: [email],
      options: [
        role,
        { flags: '--lock', description: 'end all sessions, and refuse further ones' },
        { flags: '--unlock', description: 'let the person sign in again' },
      ],
      examples: ['ana@example.com --role admin', 'ben@example.com --lock'],
      run: async () => (await import('./dashboard-users.js')).change,
    },
  ],
};
