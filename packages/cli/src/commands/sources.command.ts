import type { ArgumentDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { tenantOption } from '../frame/places.js';
import { count, origins, plainName } from '../frame/value-types.js';

const id: ArgumentDeclaration = { name: '<id>', description: 'id of the source', type: count };

export const sourcesCommand: TopLevelCommand = {
  group: 'HTTP API and webhooks',
  summary: 'Manage sources of customer events and their write keys.',
  commands: [
    {
      name: 'list',
      summary: 'List the sources of a tenant.',
      options: [tenantOption],
      examples: ['--tenant 1'],
      run: async () => (await import('./sources.js')).list,
    },
    {
      name: 'create',
      summary: 'Create a source. Its write key is shown only once.',
      arguments: [{ name: '<name>', description: 'name of the source, such as "Web shop"', type: plainName }],
      options: [
        tenantOption,
        {
          flags: '--origins <list>',
          description: 'origins of pages that may send events, comma-separated; default: any',
          type: origins,
        },
      ],
      examples: ['"Web shop" --tenant 1 --origins https://shop.example.com'],
      run: async () => (await import('./sources.js')).create,
    },
    {
      name: 'notes',
      summary: 'List what was changed, guessed or refused of the events of a source.',
      arguments: [id],
      options: [tenantOption],
      examples: ['3 --tenant 1'],
      run: async () => (await import('./sources.js')).notes,
    },
    {
      name: 'rotate',
      summary: 'Give a source a new write key. The previous one works for another week.',
      arguments: [id],
      options: [tenantOption],
      examples: ['3 --tenant 1'],
      run: async () => (await import('./sources.js')).rotate,
    },
    {
      name: 'remove',
      summary: 'Remove a source. Its events remain.',
      arguments: [id],
      options: [tenantOption],
      examples: ['3 --tenant 1'],
      run: async () => (await import('./sources.js')).remove,
    },
  ],
};
