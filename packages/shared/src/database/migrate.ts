/** Brings a database to the schema of this code: plain SQL files, each run once, in order. */
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';

export interface MigrateOptions {
  /** A user that may create tables and roles. */
  databaseUrl: string;
  onProgress?: (message: string) => void;
}

/** The same folder from the sources and from the build: both lie two levels below the package. */
const FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url));
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
  await client.connect();
  try {
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    // Our own lock waits; the library's would refuse.
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [LOCK]);
    // Loaded only by who migrates: it is large, and every service and command would wait for it.
    const { runner } = await import('node-pg-migrate');
    const applied = await runner({
      dbClient: client,
      dir: FOLDER,
      direction: 'up',
      migrationsTable: 'schema_migration',
      noLock: true,
      checkOrder: true,
      logger: {
        debug: () => undefined,
        info: () => undefined,
        warn: () => undefined,
        error: (text: string) => onProgress?.(text),
      },
    });
    for (const { name } of applied) onProgress?.(`migrated ${name}`);
    return applied.map(({ name }) => name);
  } finally {
    await client.end();
  }
}
