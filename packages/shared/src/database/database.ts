/** Access to PostgreSQL: a pool under a service's role, transactions, the tenant's context, advisory locks. */
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import type { ServiceRole } from '../services.js';

export interface DatabaseOptions {
  url: string;
  /** Shown in pg_stat_activity. */
  name: string;
  /** The role whose rights the sessions have. The login user must be a member of it. Default: the login user itself. */
  role?: ServiceRole;
  /** Connections at most. Default 10. */
  poolSize?: number;
  /** A statement that takes longer is ended, in milliseconds. Default 30,000. */
  statementTimeoutMs?: number;
}

/** Something that runs queries: a pool, or a client inside a transaction. */
export type Queryable = Pick<PoolClient, 'query'>;

/** The server ends a slow statement; a server that cannot be reached any more is given up so much later, in milliseconds. */
const SILENCE_GRACE_MS = 2_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A transaction that forgets to end blocks others: it is ended instead. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;

export function openDatabase(options: DatabaseOptions): Pool {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const config: PoolConfig = {
    connectionString: options.url,
    application_name: options.name,
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + SILENCE_GRACE_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
  };
  // A day is UTC's wherever SQL makes one of a moment, whatever zone the server is in.
  const settings = ['-c TimeZone=UTC', ...(options.role === undefined ? [] : [`-c role=${options.role}`])];
  config.options = settings.join(' ');
  const pool = new Pool(config);
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', ignoreIdleFailure);
  return pool;
}

function ignoreIdleFailure(): void {}

/** Rejects unless the database answers, and its sessions have the role and may use the schema. */
export async function requireRole(pool: Pool, role: ServiceRole): Promise<void> {
  const { rows } = await pool.query<{ usable: boolean }>(
    "SELECT current_user = $1 AND has_schema_privilege('public', 'USAGE') AS usable",
    [role],
  );
  if (rows[0]?.usable !== true) throw new Error(`The database does not let this service be ${role}.`);
}

/** Commits when `work` resolves, rolls back when it rejects. Keep other systems' answers out of it. */
export async function transaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    // A connection that cannot roll back is closed rather than handed to the next one.
    client.release(broken);
  }
}

/** A transaction that sees and writes the rows of one tenant: row-level security rules out all others. */
export function withTenant<T>(
  pool: Pool,
  tenantId: number,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  return transaction(pool, async (client) => {
    await client.query("SELECT set_config('app.tenant_id', $1, true)", [String(tenantId)]);
    return work(client);
  });
}

/** What `withAdvisoryLock` returns when somebody else holds the lock; also what a task may return as its result. */
export interface Locked {
  readonly status: 'skipped';
  readonly reason: 'locked';
}

export const LOCKED: Locked = Object.freeze({ status: 'skipped', reason: 'locked' });

export function isLocked(outcome: unknown): outcome is Locked {
  return outcome === LOCKED;
}

export interface AdvisoryLockOptions {
  /** How long to wait for a lock that is taken, in milliseconds. Default 0: not at all. */
  waitMs?: number;
}

/** Between two tries while somebody else holds the lock. */
const TRY_AGAIN_MS = 100;

/**
 * Runs `work` while holding a lock of that name, across calls to other systems: the lock belongs to a connection of its own, outside
 * any transaction. Returns `LOCKED` when it is still taken after the wait. The signal aborts when the connection, and so the lock, is lost.
 */
export async function withAdvisoryLock<T>(
  pool: Pool,
  name: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  { waitMs = 0 }: AdvisoryLockOptions = {},
): Promise<T | Locked> {
  const client = await pool.connect();
  const lost = new AbortController();
  const onLost = (cause: Error): void => lost.abort(new Error(`The lock "${name}" was lost.`, { cause }));
  client.on('error', onLost);
  try {
    const either = AbortSignal.any([signal, lost.signal]);
    // Asked again and again rather than once for long: a statement that waits does not hear the signal, and has a time limit of its own.
    for (const until = performance.now() + waitMs; !(await takeLock(client, name));) {
      const leftMs = until - performance.now();
      if (leftMs <= 0) return LOCKED;
      await delay(Math.min(TRY_AGAIN_MS, leftMs), undefined, { signal: either });
    }
    return await work(either);
  } finally {
    client.off('error', onLost);
    await releaseLock(client, name, lost.signal.aborted);
  }
}

async function takeLock(client: PoolClient, name: string): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(
    'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken',
    [name],
  );
  return rows[0]?.taken === true;
}

async function releaseLock(client: PoolClient, name: string, lost: boolean): Promise<void> {
  if (lost) {
    client.release(true);
    return;
  }
  try {
    await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name]);
    client.release();
  } catch {
    // Closing the connection frees the lock, too.
    client.release(true);
  }
}
