import type { ArgumentDeclaration, OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { count, duration, plainName } from '../frame/value-types.js';

const owner: OptionDeclaration = {
  flags: '--tenant <id>',
  description: "id of the tenant that owns the key; default: the platform's own keys",
  type: count,
};
const id: ArgumentDeclaration = { name: '<id>', description: 'id of the key' };

export const keysCommand: TopLevelCommand = {
  group: 'HTTP API and webhooks',
  summary: 'Manage keys of the HTTP API.',
  commands: [
    {
      name: 'create',
      summary: 'Create a key. It is shown only once.',
      arguments: [{ name: '<name>', description: 'purpose of the key', type: plainName }],
      options: [
        owner,
        {
          flags: '--scopes <scopes>',
          description: 'what the key may do, comma-separated; default: everything its owner may',
          choices: async () => (await import('@stratum/shared/api-keys')).ALL_SCOPES,
          list: true,
        },
        {
          flags: '--expires <duration>',
          description: 'lifetime of the key, such as 90d; default: until it is revoked',
          type: duration,
        },
      ],
      examples: [
        'ci --tenant 1 --scopes tasks:read,tasks:write',
        'operations        (for the whole platform)',
      ],
      notes: async () => (await import('./keys.js')).scopesHelp(),
      run: async () => (await import('./keys.js')).create,
    },
    {
      name: 'list',
      summary: 'List keys, revoked ones included.',
      options: [owner],
      examples: ['--tenant 1'],
      run: async () => (await import('./keys.js')).list,
    },
    {
      name: 'rotate',
      summary: 'Give a key a new secret. The previous one works for another day.',
      arguments: [id],
      options: [owner],
      examples: ['<id> --tenant 1'],
      run: async () => (await import('./keys.js')).rotate,
    },
    {
      name: 'revoke',
      summary: 'Revoke a key at once.',
      arguments: [id],
      options: [owner],
      examples: ['<id> --tenant 1'],
      run: async () => (await import('./keys.js')).revoke,
    },
  ],
};
