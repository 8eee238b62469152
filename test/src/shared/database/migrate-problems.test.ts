/** Messages for a database that cannot be migrated. */
import { randomBytes } from 'node:crypto';
import { openDatabase } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { expect, inject, onTestFinished, test } from 'vitest';
import { emptyDatabase } from '../../harness/index.js';

test('a user without the privileges gets their names', async () => {
  const url = new URL(await emptyDatabase());
  const user = `weak_${randomBytes(4).toString('hex')}`;
  const owner = openDatabase({ url: url.href, name: 'test-owner' });
  await owner.query(`CREATE ROLE ${user} LOGIN PASSWORD 'weak'`);
  onTestFinished(async () => {
    await owner.query(`DROP ROLE ${user}`);
    await owner.end();
  });
  url.username = user;
  url.password = 'weak';
  const attempt = migrate({ databaseUrl: url.href });
  await expect(attempt).rejects.toThrow(`The user "${user}" may not create tables in the schema "public"`);
  await expect(attempt).rejects.toThrow(/DATABASE_URL to the owner of the database/);
  await expect(attempt).rejects.not.toThrow(/ at /);
});

test('a user that may create tables and nothing else gets a script, and migrates after an administrator has run it', async () => {
  const url = new URL(await emptyDatabase());
  const user = `tables_${randomBytes(4).toString('hex')}`;
  const owner = openDatabase({ url: url.href, name: 'test-owner' });
  await owner.query(`CREATE ROLE ${user} LOGIN PASSWORD 'weak'`);
  await owner.query(`GRANT USAGE, CREATE ON SCHEMA public TO ${user}`);
  onTestFinished(async () => {
    await owner.query(`DROP OWNED BY ${user}`);
    await owner.query(`DROP ROLE ${user}`);
    await owner.end();
  });
  url.username = user;
  url.password = 'weak';
  const refusal = await failureOf(migrate({ databaseUrl: url.href }));
  expect(refusal).toContain(`The user "${user}" may not create the extension pg_trgm in the database`);
  const [, script = ''] = refusal.split('\n\n');
  await owner.query(script);
  expect(await migrate({ databaseUrl: url.href })).not.toEqual([]);
});

async function failureOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('It did not fail.');
}

test('an unreachable server, or one that rejects the user, is named without the password', async () => {
  const wrong = new URL(inject('adminDatabaseUrl'));
  wrong.password = 'not-the-password';
  const refused = migrate({ databaseUrl: wrong.href });
  await expect(refused).rejects.toThrow(`No connection to PostgreSQL at ${wrong.host}/`);
  await expect(refused).rejects.not.toThrow(/not-the-password/);
  wrong.port = '1';
  await expect(migrate({ databaseUrl: wrong.href })).rejects.toThrow(
    new RegExp(`PostgreSQL at ${wrong.hostname}:1${wrong.pathname}: .*ECONNREFUSED.*DATABASE_URL`),
  );
});
