import type { TopLevelCommand } from '../frame/declaration.js';
import { tenantOption } from '../frame/places.js';
import { count, integer } from '../frame/value-types.js';

const MAX_BLOCK_DAYS = 3_650;

export const profilesCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Show, export and erase customer profiles; undo a merge.',
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
    {
      name: 'export',
      summary: 'Print everything that is kept of a person, as JSON.',
      arguments: [
        {
          name: '[who]',
          description: 'id of the profile, user id, email address, anonymous id or +phone number',
          defaultText: 'whom --request names',
        },
      ],
      options: [
        tenantOption,
        {
          flags: '--request <id>',
          description: 'answer this request that a platform has passed on, and mark it as done',
          type: count,
        },
      ],
      examples: ['ann@example.com --tenant 1', '--request 3 --tenant 1'],
      run: async () => (await import('./people.js')).exportData,
    },
    {
      name: 'erase',
      summary: 'Erase a person: profiles, events, messages, deliveries, dead letters and results.',
      description:
        'Cannot be undone. Afterwards, events that name the person are dropped for a while, so that repeated ones do not bring them back.',
      arguments: [
        {
          name: '<who>',
          description: 'id of the profile, user id, email address, anonymous id or +phone number',
        },
      ],
      options: [
        tenantOption,
        {
          flags: '--block-days <days>',
          description: 'days for which events that name the person are dropped',
          type: integer(0, MAX_BLOCK_DAYS),
          defaultText: 'ERASED_PERSON_BLOCK_DAYS, 30',
        },
        { flags: '--yes', description: 'do not ask for confirmation' },
      ],
      examples: ['ann@example.com --tenant 1', '17 --tenant 1 --yes'],
      run: async () => (await import('./people.js')).erase,
    },
    {
      name: 'requests',
      summary: 'List requests for data or erasure that platforms have passed on.',
      options: [tenantOption],
      examples: ['--tenant 1'],
      run: async () => (await import('./people.js')).requests,
    },
  ],
};
