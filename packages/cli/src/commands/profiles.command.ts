import type { TopLevelCommand } from '../frame/declaration.js';
import { tenantOption } from '../frame/places.js';
import { count } from '../frame/value-types.js';

export const profilesCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Show customer profiles; undo a merge.',
  commands: [
    {
      name: 'show',
      summary: 'Show a profile with its identifiers, merges and latest events.',
      arguments: [
        { name: '<who>', description: 'id of the profile, user id, email address or anonymous id' },
      ],
      options: [tenantOption],
      examples: ['ann@example.com --tenant 1'],
      run: async () => (await import('./profiles.js')).show,
    },
    {
      name: 'unmerge',
      summary: 'Undo a merge: the profile gets back its identifiers and events.',
      arguments: [
        { name: '<profile>', description: 'id of the profile that was merged into another one', type: count },
      ],
      options: [tenantOption],
      examples: ['17 --tenant 1'],
      run: async () => (await import('./profiles.js')).unmerge,
    },
  ],
};
