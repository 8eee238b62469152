import type { TopLevelCommand } from '../frame/declaration.js';

export const migrateCommand: TopLevelCommand = {
  group: 'Database',
  summary: 'Migrate the database to the schema of this version.',
  examples: [''],
  notes: 'Takes the database of the local stack, or the one that DATABASE_URL names.',
  run: async () => (await import('./database.js')).runMigrations,
};

export const seedCommand: TopLevelCommand = {
  group: 'Database',
  summary: 'Add the demonstration tenants. Existing data remain.',
  examples: [''],
  notes:
    'Takes the database of the local stack, or the one that DATABASE_URL names, and STRATUM_CREDENTIALS_KEY.',
  run: async () => (await import('./database.js')).seedDatabase,
};
