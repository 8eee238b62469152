/** The database that commands work on. */
import { loadConfiguration, openDatabase, type ServiceRole } from '@stratum/shared';
import type { Pool } from 'pg';
import { serverEnvironment } from './environment.js';

/** Thrown when PostgreSQL cannot be reached, or refuses the user. Its code is `database_unreachable`. */
class DatabaseUnreachableError extends Error {
  readonly code = 'database_unreachable';
}

/**
 * Runs `work` with a pool, and closes it afterwards.
 * @param options `role`: the service whose rights it uses; default: the owner's
 */
export async function withDatabase<T>(
  { role }: { role?: ServiceRole },
  work: (pool: Pool) => Promise<T>,
): Promise<T> {
  const { DATABASE_URL: url } = loadConfiguration(['DATABASE_URL'], await serverEnvironment());
  const pool = openDatabase({ url, name: 'stratum-cli', ...(role === undefined ? {} : { role }) });
  try {
    await check(pool, url);
    return await work(pool);
  } finally {
    await pool.end();
  }
}

async function check(pool: Pool, url: string): Promise<void> {
  try {
    (await pool.connect()).release();
  } catch (cause) {
    const { host, pathname } = new URL(url);
    throw new DatabaseUnreachableError(
      `No connection to PostgreSQL at ${host}${pathname}: ${reasonOf(cause)}.`,
      {
        cause,
      },
    );
  }
}

/** Node reports one error for each address that it tried. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
