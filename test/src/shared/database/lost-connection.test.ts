/** The server ends a session at each place where the platform holds one. The call rejects, and the process lives: an error without a listener would fail the run. */
import { migrate } from '@stratum/cli/database';
import { openDatabase, transaction, withAdvisoryLock } from '@stratum/shared';
import type { Pool, PoolClient } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { emptyDatabase, waitFor } from '../../harness/index.js';

const NAME = 'victim';
const LOST = /connection/i;

interface Sessions {
  url: string;
  pool: Pool;
  /** From a session of its own. */
  owner: Pool;
  end: (client: PoolClient) => Promise<void>;
}

async function sessions(): Promise<Sessions> {
  const url = await emptyDatabase();
  const owner = openDatabase({ url, name: 'owner' });
  const pool = openDatabase({ url, name: NAME });
  onTestFinished(async () => {
    await pool.end();
    await owner.end();
  });
  const end = async (client: PoolClient): Promise<void> => {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const gone = new Promise<void>((resolve) => client.once('end', () => resolve()));
    await owner.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await gone;
  };
  return { url, pool, owner, end };
}

function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test('between two queries of a transaction', async () => {
  const { pool, end } = await sessions();
  const lost = transaction(pool, async (client) => {
    await end(client);
    await client.query('SELECT 1');
  });
  await expect(lost).rejects.toThrow(LOST);
  expect((await pool.query('SELECT 1')).rowCount).toBe(1);
});

test('before the commit of a transaction', async () => {
  const { pool, end } = await sessions();
  await expect(transaction(pool, end)).rejects.toThrow(LOST);
  expect((await pool.query('SELECT 1')).rowCount).toBe(1);
});

test('within a query', async () => {
  const { pool, owner } = await sessions();
  const lost = failureOf(transaction(pool, (client) => client.query('SELECT pg_sleep(600)')));
  await waitFor('the query to be ended', async () => {
    const { rowCount } = await owner.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND query LIKE '%pg_sleep%'",
      [NAME],
    );
    return rowCount === 0 ? undefined : true;
  });
  expect(await lost).toMatchObject({ code: '57P01' });
});

test('while nobody waits for an answer', async () => {
  const { pool, end } = await sessions();
  const client = await pool.connect();
  await end(client);
  await expect(client.query('SELECT 1')).rejects.toThrow(LOST);
  client.release(true);
  expect((await pool.query('SELECT 1')).rowCount).toBe(1);
});

test('under an advisory lock, whose signal aborts', async () => {
  const { pool, owner } = await sessions();
  const never = new AbortController().signal;
  const held = withAdvisoryLock(pool, 'a lock', never, async (signal) => {
    await owner.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
      NAME,
    ]);
    return waitFor('the signal', async () => (signal.aborted ? signal.reason : undefined));
  });
  expect(await held).toMatchObject({ message: 'The lock "a lock" was lost.' });
  expect(await withAdvisoryLock(pool, 'a lock', never, async () => 'free again')).toBe('free again');
});

test('of a migration that waits for its turn', async () => {
  const { url, owner } = await sessions();
  const holder = await owner.connect();
  onTestFinished(() => holder.release(true));
  await holder.query("SELECT pg_advisory_lock(hashtext('stratum.migrations'))");
  const lost = failureOf(migrate({ databaseUrl: url }));
  await waitFor('the migration to be ended', async () => {
    const { rowCount } = await holder.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return rowCount === 0 ? undefined : true;
  });
  expect(await lost).toMatchObject({ code: '57P01' });
});
