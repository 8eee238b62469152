import { loadConfiguration, migrate, openDatabase } from '@stratum/shared';
import { seed } from '../demonstration/index.js';
import { Command } from 'commander';
import { localEnvironment } from '../environment.js';
import { printJson } from '../output.js';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('Bring the database to the schema of this version.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  DATABASE_URL=postgres://… stratum migrate')
    .action(async ({ json }: { json?: boolean }) => {
      const { DATABASE_URL: databaseUrl } = loadConfiguration(['DATABASE_URL'], await localEnvironment());
      const applied = await migrate({ databaseUrl });
      if (json) printJson({ applied });
      else
        console.log(applied.length === 0 ? 'The schema is up to date.' : `Applied: ${applied.join(', ')}.`);
    });
}

export function seedCommand(): Command {
  return new Command('seed')
    .description('Add the demonstration tenants. What is there already stays.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  DATABASE_URL=postgres://… STRATUM_CREDENTIALS_KEY=… stratum seed')
    .action(async ({ json }: { json?: boolean }) => {
      const configuration = loadConfiguration(
        ['DATABASE_URL', 'STRATUM_CREDENTIALS_KEY'],
        await localEnvironment(),
      );
      const pool = openDatabase({ url: configuration.DATABASE_URL, name: 'stratum-seed' });
      try {
        const added = await seed(pool, configuration.STRATUM_CREDENTIALS_KEY);
        if (json) printJson({ accounts_added: added });
        else
          console.log(
            added === 0 ? 'The demonstration data are there already.' : `Added ${added} ad accounts.`,
          );
      } finally {
        await pool.end();
      }
    });
}
