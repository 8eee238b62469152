import type { TopLevelCommand } from '../frame/declaration.js';
import { count } from '../frame/value-types.js';

export const migrateCommand: TopLevelCommand = {
  group: 'Database',
  summary: 'Migrate the database to the schema of this version.',
  examples: [''],
  notes: 'Takes the database of the local stack, or the one that DATABASE_URL names.',
  run: async () => (await import('./database.js')).runMigrations,
};

export const seedCommand: TopLevelCommand = {
  group: 'Database',
  summary: 'Add the demonstration tenants to a database that is marked for them.',
  description:
    'Refused unless the database is marked for demonstration data and has no tenants of customers. The local stack marks its own database.',
  options: [
    {
      flags: '--mark',
      description: 'mark the database for demonstration data first; refused if it has tenants of customers',
    },
  ],
  examples: ['', '--mark'],
  notes: `Takes the database of the local stack, or the one that DATABASE_URL names, and STRATUM_CREDENTIALS_KEY.`,
  run: async () => (await import('./database.js')).seedDatabase,
};

export const demonstrationCommand: TopLevelCommand = {
  group: 'Getting started',
  summary: 'Print the keys of the demonstration tenants, which were made when they were seeded.',
  arguments: [
    {
      name: '[key]',
      description: 'write-key, or the source of a webhook endpoint, such as github; default: all keys',
    },
  ],
  options: [{ flags: '--tenant <id>', description: 'demonstration tenant', type: count, default: 1 }],
  examples: ['', 'write-key', 'github'],
  run: async () => (await import('./database.js')).showDemonstration,
};
