/** Access to PostgreSQL: a pool under a service's role, transactions, the tenant's context, advisory locks. */
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type ClientBase, type PoolClient, type PoolConfig } from 'pg';
import type { ServiceRole } from '../services.js';
import { connectionOf, PooledClient } from './pooled-client.js';

export interface DatabaseOptions {
  /** With `?pooling=transaction` for a pooler, such as PgBouncer, that gives each transaction another session. */
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
  const { url, isPooled } = connectionOf(options.url);
  const config: PoolConfig = {
    connectionString: url,
    application_name: options.name,
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: statementTimeoutMs + SILENCE_GRACE_MS,
    keepAlive: true,
    // Behind a pooler a session is not ours to set: its login user carries the settings.
    ...(isPooled ? { Client: PooledClient } : sessionSettings(options.role, statementTimeoutMs)),
  };
  const pool = new Pool(config);
  // An idle connection that breaks is replaced by the pool.
  pool.on('error', ignoreLoss);
  pool.on('connect', tolerateLoss);
  return pool;
}

function sessionSettings(role: ServiceRole | undefined, statementTimeoutMs: number): PoolConfig {
  return {
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    // A day is UTC's wherever SQL makes one of a moment, whatever zone the server is in.
    options: ['-c TimeZone=UTC', ...(role === undefined ? [] : [`-c role=${role}`])].join(' '),
  };
}

/**
 * A lost connection rejects the queries on it and every later one. The client also emits `error`, which ends the process if nobody listens,
 * and the pool listens only while the connection is idle.
 */
export function tolerateLoss(client: Pick<ClientBase, 'on'>): void {
  client.on('error', ignoreLoss);
}

function ignoreLoss(): void {}

/** Rejects unless the database answers, and its sessions have the role and may use the schema. */
export async function requireRole(pool: Pool, role: ServiceRole): Promise<void> {
  const { rows } = await pool.query<{ usable: boolean }>(
    "SELECT current_user = $1 AND has_schema_privilege('public', 'USAGE') AS usable",
    [role],
  );
  if (rows[0]?.usable !== true) throw new Error(`The database does not let this service be ${role}.`);
}

/** Commits when `work` resolves, rolls back when it rejects or the connection is lost. Keep other systems' answers out of it. */
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
 * Runs `work` while holding a lock of that name, across calls to other systems: the lock belongs to a transaction of its own that touches no row, so
 * that it holds behind a pooler as well. Returns `LOCKED` when it is still taken after the wait. The signal aborts when the connection, and so the lock, is lost.
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
    await client.query('BEGIN');
    // It is idle for as long as the work takes.
    await client.query('SET LOCAL idle_in_transaction_session_timeout = 0');
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
    await releaseLock(client, lost.signal.aborted);
  }
}

async function takeLock(client: PoolClient, name: string): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(
    'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS taken',
    [name],
  );
  return rows[0]?.taken === true;
}

async function releaseLock(client: PoolClient, lost: boolean): Promise<void> {
  if (lost) {
    client.release(true);
    return;
  }
  try {
    await client.query('ROLLBACK');
    client.release();
  } catch {
    // Closing the connection frees the lock, too.
    client.release(true);
  }
}
