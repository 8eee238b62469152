import type { ArgumentDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { definitionFile, tenantOption } from '../frame/places.js';

const name: ArgumentDeclaration = { name: '<name>', description: 'name of the funnel' };

export const funnelsCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Manage funnels over customer events.',
  commands: [
    {
      name: 'list',
      summary: 'List the funnels of a tenant.',
      options: [tenantOption],
      examples: ['--tenant 1'],
      run: async () => (await import('./funnels.js')).list,
    },
    {
      name: 'show',
      summary: 'Show how many profiles reached each step.',
      arguments: [name],
      options: [tenantOption],
      examples: ['"From look to order" --tenant 1'],
      run: async () => (await import('./funnels.js')).show,
    },
    {
      name: 'save',
      summary: 'Create a funnel, or replace the definition of an existing one, and compute it.',
      arguments: [name, definitionFile('docs/operate/segments.md')],
      options: [tenantOption],
      examples: ['"From look to order" funnel.json --tenant 1'],
      run: async () => (await import('./funnels.js')).save,
    },
    {
      name: 'remove',
      summary: 'Remove a funnel and its results.',
      arguments: [name],
      options: [tenantOption],
      examples: ['"From look to order" --tenant 1'],
      run: async () => (await import('./records.js')).removeOf('funnels'),
    },
  ],
};
