/** Brings a database to the schema of this code: plain SQL files, each run once, in the order of the times in their names. */
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { tolerateLoss } from '@stratum/shared';
import { checkPlatformNames, createServiceRoles } from './derived-schema.js';
import { missingRequirements } from './requirements.js';

export interface MigrateOptions {
  /** A user that may create tables and roles. */
  databaseUrl: string;
  onProgress?: (message: string) => void;
}

/** The same folder from the sources and from the build: both lie two levels below the package. */
const FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url));
const TABLE = 'schema_migration';
/** `<YYYYMMDDHHMMSS>_<name>.sql`, in UTC: files of two branches never take the same place. */
const FILE_NAME = /^(\d{14}_([a-z0-9_]+))\.sql$/;
const LOCK = 'stratum.migrations';
const LOCK_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Returns the names of the migrations that were run; none when the schema was up to date. Of several processes at once one
 * works and the others wait for it.
 */
export async function migrate({ databaseUrl, onProgress }: MigrateOptions): Promise<string[]> {
  const client = new Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    options: '-c TimeZone=UTC',
  });
  tolerateLoss(client);
  await connect(client, databaseUrl);
  try {
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    // Our own lock waits; the library's would refuse.
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [LOCK]);
    const applied = await bringUpToDate(client, onProgress).catch(async (error: unknown) => {
      throw await explained(client, error);
    });
    for (const { name } of applied) onProgress?.(`migrated ${name}`);
    return applied.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

async function bringUpToDate(
  client: Client,
  onProgress: MigrateOptions['onProgress'],
): Promise<{ name: string }[]> {
  await renameNumbered(client);
  await createServiceRoles(client);
  // Loaded here because it is large and only this command needs it.
  const { runner } = await import('node-pg-migrate');
  const applied = await runner({
    dbClient: client,
    dir: FOLDER,
    direction: 'up',
    migrationsTable: TABLE,
    noLock: true,
    // A branch that is merged late brings a migration older than those already run; it still has to run.
    checkOrder: false,
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (text: string) => onProgress?.(text),
    },
  });
  await checkPlatformNames(client);
  return applied;
}

/** Databases from before the migrations carried times know them by four digits; their records take the new names. */
async function renameNumbered(client: Client): Promise<void> {
  const { rowCount } = await client.query('SELECT WHERE to_regclass($1) IS NOT NULL', [`public.${TABLE}`]);
  if (rowCount === 0) return;
  const files = (await readdir(FOLDER)).map((file) => FILE_NAME.exec(file));
  const names = files.flatMap((match) => (match === null ? [] : [[match[2], match[1]]]));
  await client.query(
    `UPDATE ${TABLE} SET name = renamed.new FROM jsonb_to_recordset($1::jsonb) AS renamed(old text, new text)
     WHERE ${TABLE}.name ~ '^\\d{4}_' AND substr(${TABLE}.name, 6) = renamed.old`,
    [JSON.stringify(names.map(([old, name]) => ({ old, new: name })))],
  );
}

async function connect(client: Client, databaseUrl: string): Promise<void> {
  try {
    await client.connect();
  } catch (cause) {
    const { host, pathname } = new URL(databaseUrl);
    // A name with several addresses fails with an error for each, and no words of its own.
    const [failure] = cause instanceof AggregateError ? cause.errors : [cause];
    const reason = failure instanceof Error ? failure.message : String(failure);
    throw new Error(
      `No connection to PostgreSQL at ${host}${pathname}: ${reason}. Is the server running, and are address, user and password in DATABASE_URL right?`,
      { cause },
    );
  }
}

/** What the server or the user lacks, where a migration failed for it: the library reports its own stack alone. */
async function explained(client: Client, failure: unknown): Promise<unknown> {
  const missing = await missingRequirements(client);
  return missing === undefined ? failure : new Error(missing, { cause: failure });
}
