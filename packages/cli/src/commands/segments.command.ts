import type { ArgumentDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { definitionFile, tenantOption } from '../frame/places.js';

const name: ArgumentDeclaration = { name: '<name>', description: 'name of the segment' };

export const segmentsCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Manage segments of customer profiles.',
  commands: [
    {
      name: 'list',
      summary: 'List the segments of a tenant and the number of profiles in each.',
      options: [tenantOption],
      examples: ['--tenant 1'],
      run: async () => (await import('./segments.js')).list,
    },
    {
      name: 'show',
      summary: 'Show the definition of a segment.',
      arguments: [name],
      options: [tenantOption],
      examples: ['"Left the basket" --tenant 1'],
      run: async () => (await import('./segments.js')).show,
    },
    {
      name: 'save',
      summary: 'Create a segment, or replace the definition of an existing one, and compute it.',
      arguments: [name, definitionFile('docs/operate/segments.md')],
      options: [tenantOption],
      examples: ['"Left the basket" segment.json --tenant 1'],
      run: async () => (await import('./segments.js')).save,
    },
    {
      name: 'preview',
      summary: 'Count what a segment would hold, and the values that it could not read. Nothing is saved.',
      description: 'Takes at most half a minute; a worker of the queue cdp has to run.',
      arguments: [definitionFile('docs/operate/segments.md')],
      options: [tenantOption],
      examples: ['segment.json --tenant 1'],
      run: async () => (await import('./segments.js')).preview,
    },
    {
      name: 'remove',
      summary: 'Remove a segment and its memberships. One that other segments name stays.',
      arguments: [name],
      options: [tenantOption],
      examples: ['"Left the basket" --tenant 1'],
      run: async () => (await import('./records.js')).removeOf('segments'),
    },
  ],
};
