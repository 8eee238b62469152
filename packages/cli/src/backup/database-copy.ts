/** The database's part of a backup: what is written, and what a restore needs of its target. */
import { escapeIdentifier, type Pool } from 'pg';
import { createServiceRoles } from '../database/index.js';
import { findClientProgram, runClientProgram, type ClientProgram } from './postgres-client.js';

export interface DatabaseFacts {
  /** For example `18.1`. */
  serverVersion: string;
  major: number;
  /** The newest migration of the schema; `null` for a database without one. */
  migration: string | null;
}

export async function readFacts(pool: Pool): Promise<DatabaseFacts> {
  const { rows } = await pool.query<{ version: string; number: number; has: boolean }>(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
       to_regclass('public.schema_migration') IS NOT NULL AS has`,
  );
  const [{ version, number, has } = { version: '', number: 0, has: false }] = rows;
  const newest = has
    ? await pool.query<{ name: string | null }>('SELECT max(name) AS name FROM public.schema_migration')
    : undefined;
  return {
    serverVersion: version,
    major: Math.floor(number / 10_000),
    migration: newest?.rows[0]?.name ?? null,
  };
}

/** The program that dumps this database, found before anything is written. @throws Error that says what is missing */
export async function dumpProgram(pool: Pool, { major }: DatabaseFacts): Promise<ClientProgram> {
  await requireWholeView(pool);
  return findClientProgram('pg_dump', major);
}

/**
 * Row-level security holds for an owner that is no superuser too, and its policies open the tables to it. Of a table without such a policy the
 * copy would miss rows.
 */
async function requireWholeView(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT format('%I.%I', relnamespace::regnamespace, relname) AS name FROM pg_class AS class
     WHERE relrowsecurity AND (relforcerowsecurity OR NOT pg_has_role(relowner, 'USAGE'))
       AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)
       AND NOT EXISTS (
         SELECT FROM pg_policy WHERE polrelid = class.oid AND polpermissive AND polcmd IN ('*', 'r')
           AND pg_get_expr(polqual, polrelid) = 'true'
           AND EXISTS (SELECT FROM unnest(polroles) AS role WHERE role = 0 OR pg_has_role(role, 'USAGE')))
     ORDER BY 1 LIMIT 5`,
  );
  if (rows.length > 0)
    throw new Error(
      `The user of DATABASE_URL does not see every row of ${rows.map(({ name }) => name).join(', ')}. Back up as the owner of the tables, or as a user with BYPASSRLS.`,
    );
}

export function dump(
  program: ClientProgram,
  databaseUrl: string,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  return runClientProgram(
    program,
    ['--format=custom', '--enable-row-security', '--no-password'],
    databaseUrl,
    write,
  );
}

/** Schemas of users with something in them. */
export async function schemasInUse(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT DISTINCT nspname AS name FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** Leaves the schema `public`, empty, with the rights of a new database. */
export async function emptySchemas(pool: Pool, schemas: readonly string[]): Promise<void> {
  const drops = [...new Set([...schemas, 'public'])].map(
    (name) => `DROP SCHEMA IF EXISTS ${escapeIdentifier(name)} CASCADE`,
  );
  // One message is one transaction.
  await pool.query([...drops, 'CREATE SCHEMA public', 'GRANT USAGE ON SCHEMA public TO PUBLIC'].join('; '));
}

/** All of it or nothing, into an empty database. */
export async function load(
  pool: Pool,
  program: ClientProgram,
  databaseUrl: string,
  file: string,
): Promise<void> {
  const client = await pool.connect();
  try {
    // Roles belong to the server, not to the database.
    await createServiceRoles(client);
  } finally {
    client.release();
  }
  await runClientProgram(
    program,
    ['--single-transaction', '--exit-on-error', '--no-owner', '--no-password', file],
    databaseUrl,
  );
}
