import { loadConfiguration } from '@stratum/shared';
import { migrate } from '../database/index.js';
import { markForDemonstration, readMadeKeys, seed } from '../demonstration/index.js';
import { withPlatformClient } from '../client-session.js';
import { withDatabase } from '../database-session.js';
import { localEnvironment } from '../environment.js';
import { typed } from '../frame/invocation.js';
import { flexible, printJson, printTable } from '../output.js';
import { keyRing } from '../tenant-session.js';

export async function runMigrations({ json }: { json?: boolean }): Promise<void> {
  const { DATABASE_URL: databaseUrl } = loadConfiguration(['DATABASE_URL'], await localEnvironment());
  const applied = await migrate({ databaseUrl });
  if (applied.length > 0) await recordMigrations(applied);
  if (json) printJson({ applied });
  else console.log(applied.length === 0 ? 'The schema is up to date.' : `Applied: ${applied.join(', ')}.`);
}

/** The schema of a new installation is made before its broker runs, so the change does not depend on the event. */
async function recordMigrations(applied: readonly string[]): Promise<void> {
  try {
    await withPlatformClient(({ record }) =>
      record({ action: 'database.migrated', subject: 'database', details: { applied } }),
    );
  } catch (error) {
    console.error(
      `The audit log has no entry of these migrations: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

export async function seedDatabase({ json, mark }: { json?: boolean; mark?: boolean }): Promise<void> {
  const keys = await keyRing();
  const added = await withPlatformClient(({ record }) =>
    withDatabase({}, async (pool) => {
      if (mark) await markForDemonstration(pool);
      const accounts = await seed(pool, keys);
      await record({
        action: 'database.seeded',
        subject: 'database',
        details: { accounts_added: accounts, ...(mark === true ? { marked: true } : {}) },
      });
      return accounts;
    }),
  );
  if (json) printJson({ accounts_added: added });
  else if (added === 0) console.log('The demonstration tenants exist already.');
  else
    console.log(`Added ${added} ad accounts. Show the keys that were made with: ${typed('demonstration')}`);
}

export async function showDemonstration(
  key: string | undefined,
  { json, tenant }: { json?: boolean; tenant: number },
): Promise<void> {
  const keys = await keyRing();
  const made = await withDatabase({}, (pool) => readMadeKeys(pool, keys, tenant));
  const all: [string, string, string][] = [
    ...(made.write_key === null
      ? []
      : [['write-key', made.write_key, '/v1/…'] satisfies [string, string, string]]),
    ...made.webhooks.map(({ source, secret, path }): [string, string, string] => [source, secret, path]),
  ];
  if (key === undefined) {
    if (json) printJson(made);
    else printTable(['key', flexible('value'), 'path'], all);
    return;
  }
  const found = all.find(([name]) => name === key);
  if (found === undefined)
    throw new Error(
      `The demonstration has no key "${key}". It has: ${all.map(([name]) => name).join(', ')}.`,
    );
  if (json) printJson({ key, value: found[1] });
  else console.log(found[1]);
}
