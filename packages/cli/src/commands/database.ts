import { loadConfiguration } from '@stratum/shared';
import { migrate } from '../database/index.js';
import { seed } from '../demonstration/index.js';
import { withDatabase } from '../database-session.js';
import { localEnvironment } from '../environment.js';
import { printJson } from '../output.js';
import { keyRing } from '../tenant-session.js';

export async function runMigrations({ json }: { json?: boolean }): Promise<void> {
  const { DATABASE_URL: databaseUrl } = loadConfiguration(['DATABASE_URL'], await localEnvironment());
  const applied = await migrate({ databaseUrl });
  if (json) printJson({ applied });
  else console.log(applied.length === 0 ? 'The schema is up to date.' : `Applied: ${applied.join(', ')}.`);
}

export async function seedDatabase({ json }: { json?: boolean }): Promise<void> {
  const keys = await keyRing();
  const added = await withDatabase({}, (pool) => seed(pool, keys));
  if (json) printJson({ accounts_added: added });
  else if (added === 0) console.log('The demonstration tenants exist already.');
  else console.log(`Added ${added} ad accounts.`);
}
