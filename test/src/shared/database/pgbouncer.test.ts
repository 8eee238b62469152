/** Every transaction gets another session of the server: what the platform does in the database works there as well. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { LOCKED, openDatabase, withAdvisoryLock, withTenant } from '@stratum/shared';
import type { Pool } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { dataFolder, freePort, testDatabase, waitFor } from '../../harness/index.js';
import { skipNotRun } from '../../harness/not-run.js';

const NOBODY = 65_534;
const ROLE = 'stratum_sync_worker';

function findPgbouncer(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  const paths = [process.env['PGBOUNCER_BIN'] ?? '', ...folders.map((folder) => join(folder, 'pgbouncer'))];
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return path !== '';
    } catch {
      return false;
    }
  });
}

/** A pool behind PgBouncer with two sessions, as the page on PostgreSQL describes it. */
async function pooled(binary: string): Promise<{ pool: Pool; owner: Pool }> {
  const { url, owner } = await testDatabase();
  const login = `login_${randomBytes(4).toString('hex')}`;
  await owner.query(`CREATE ROLE ${login} LOGIN PASSWORD 'secret' IN ROLE ${ROLE}`);
  await owner.query(`ALTER ROLE ${login} SET role = '${ROLE}'`);
  await owner.query(`ALTER ROLE ${login} SET timezone = 'UTC'`);
  const folder = await dataFolder('stratum-pgbouncer-');
  const { hostname, port: serverPort, pathname } = new URL(url);
  const port = await freePort();
  const settings = join(folder, 'pgbouncer.ini');
  await writeFile(join(folder, 'users.txt'), `"${login}" "secret"\n`);
  await writeFile(
    settings,
    [
      '[databases]',
      `* = host=${hostname} port=${serverPort}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = plain',
      `auth_file = ${join(folder, 'users.txt')}`,
      'pool_mode = transaction',
      'default_pool_size = 2',
    ].join('\n'),
  );
  await chmod(folder, 0o755);
  const child = spawn(binary, [settings], {
    stdio: 'ignore',
    // It refuses to run as root.
    ...(process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  const ended = once(child, 'exit');
  const pool = openDatabase({
    url: `postgres://${login}:secret@127.0.0.1:${port}${pathname}?pooling=transaction`,
    name: 'pooled',
    role: ROLE,
  });
  onTestFinished(async () => {
    await pool.end();
    child.kill('SIGKILL');
    await ended;
    await owner.query(`DROP ROLE ${login}`);
    await rm(folder, { recursive: true, force: true });
  });
  await waitFor('PgBouncer to answer', async () => {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}.`);
    return pool.query('SELECT 1').then(
      () => true,
      () => false,
    );
  });
  return { pool, owner };
}

test('roles, tenants, prepared statements and advisory locks work in transaction pooling', async (context) => {
  const binary = findPgbouncer();
  if (binary === undefined)
    return skipNotRun(context, 'PgBouncer is not installed: install it, or set PGBOUNCER_BIN.');
  const { pool, owner } = await pooled(binary);
  const settings = await pool.query("SELECT current_user::text AS user, current_setting('TimeZone') AS zone");
  expect(settings.rows).toEqual([{ user: ROLE, zone: 'UTC' }]);

  await owner.query(
    "INSERT INTO tenant (id, name, currency) OVERRIDING SYSTEM VALUE VALUES (71, 'a', 'USD'), (72, 'b', 'USD')",
  );
  const seen = await Promise.all(
    Array.from({ length: 40 }, (_, index) => {
      const tenant = index % 2 === 0 ? 71 : 72;
      return withTenant(pool, tenant, async (client) => {
        const { rows } = await client.query<{ id: number }>({
          name: 'who',
          text: 'SELECT current_tenant()::int AS id WHERE $1',
          values: [true],
        });
        return rows[0]?.id === tenant;
      });
    }),
  );
  expect(seen.every(Boolean)).toBe(true);
  expect((await pool.query("SELECT current_setting('app.tenant_id', true) AS id")).rows).not.toContainEqual({
    id: '71',
  });

  const never = new AbortController().signal;
  const outcome = await withAdvisoryLock(pool, 'a lock', never, async () => {
    for (let count = 0; count < 20; count++) await pool.query('SELECT 1');
    return withAdvisoryLock(pool, 'a lock', never, async () => 'twice');
  });
  expect(outcome).toBe(LOCKED);
  expect(await withAdvisoryLock(pool, 'a lock', never, async () => 'free')).toBe('free');
});
