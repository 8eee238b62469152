/** What keeps tenants apart and the schema in order, whatever a program forgets. */
import { readdirSync } from 'node:fs';
import { LOCKED, once, withAdvisoryLock, withTenant } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import type { Pool, PoolClient } from 'pg';
import { describe, expect, test } from 'vitest';
import { emptyDatabase, testDatabase, waitFor } from '../../harness/index.js';

const MIGRATIONS = readdirSync(new URL('../../../../packages/cli/migrations', import.meta.url))
  .map((file) => file.replace(/\.sql$/, ''))
  .toSorted();

async function addTenant(owner: Pool, id: number): Promise<void> {
  await withTenant(owner, id, async (client) => {
    await client.query(`INSERT INTO tenant (id, name, currency) VALUES ($1, $2, 'USD')`, [
      id,
      `Tenant ${id}`,
    ]);
    await client.query(
      `INSERT INTO platform_account (tenant_id, platform, external_id, currency) VALUES ($1, 'meta', $2, 'USD')`,
      [id, `10${id}`],
    );
  });
}

describe('row-level security, as the sync worker', () => {
  test('shows the tenant of the transaction, and nothing without one', async () => {
    const { owner, syncWorker } = await testDatabase();
    await addTenant(owner, 1);
    await addTenant(owner, 2);
    const read = 'SELECT tenant_id FROM platform_account';
    const seen = await withTenant(syncWorker, 1, (client) => client.query(read));
    expect(seen.rows).toEqual([{ tenant_id: '1' }]);
    expect((await syncWorker.query(read)).rows).toEqual([]);
    expect((await syncWorker.query('SELECT id FROM tenant')).rows).toEqual([]);
  });

  test('refuses to write rows of another tenant', async () => {
    const { owner, syncWorker } = await testDatabase();
    await addTenant(owner, 1);
    await addTenant(owner, 2);
    const { rows } = await owner.query<{ id: string }>('SELECT id FROM platform_account WHERE tenant_id = 2');
    const intrusion = withTenant(syncWorker, 1, (client) =>
      client.query(
        `INSERT INTO campaign (tenant_id, account_id, external_id, name, status, platform_status, currency, last_synced_at)
         VALUES (2, $1, 'x', 'x', 'active', 'ACTIVE', 'USD', now())`,
        [rows[0]?.id],
      ),
    );
    await expect(intrusion).rejects.toThrow(/row-level security/);
    const change = await withTenant(syncWorker, 1, (client) =>
      client.query(`UPDATE platform_account SET last_error = 'mine' WHERE tenant_id = 2`),
    );
    expect(change.rowCount).toBe(0);
  });

  test('holds for the partitions of the metrics, too', async () => {
    const { owner, syncWorker } = await testDatabase();
    await addTenant(owner, 1);
    await syncWorker.query("SELECT ensure_metric_partition('2026-11-01')");
    const { rows } = await owner.query<{
      relname: string;
      relrowsecurity: boolean;
      relforcerowsecurity: boolean;
    }>(
      `SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname LIKE 'campaign_metric_daily%' AND relkind IN ('r', 'p')`,
    );
    expect(rows).toHaveLength(3);
    expect(rows.every((row) => row.relrowsecurity && row.relforcerowsecurity)).toBe(true);
    await expect(syncWorker.query('SELECT * FROM campaign_metric_daily_2026_11')).rejects.toThrow(
      /permission denied/,
    );
  });

  test('gives no more rights than the work needs', async () => {
    const { syncWorker } = await testDatabase();
    const forbidden = [
      `INSERT INTO tenant (name, currency) VALUES ('x', 'USD')`,
      'DELETE FROM campaign',
      `UPDATE platform_account SET external_id = 'x'`,
      'CREATE TABLE mine (id int)',
      'SELECT * FROM schema_migration',
    ];
    for (const statement of forbidden)
      await expect(syncWorker.query(statement), statement).rejects.toThrow(/permission denied/);
  });

  test('lets a fan-out see tenants and platforms, and no more', async () => {
    const { owner, syncWorker } = await testDatabase();
    await addTenant(owner, 1);
    await addTenant(owner, 2);
    await owner.query('UPDATE tenant SET deleted_at = now() WHERE id = 2');
    const { rows, fields } = await syncWorker.query('SELECT * FROM connected_platforms()');
    expect(rows).toEqual([{ tenant_id: '1', platform: 'meta' }]);
    expect(fields.map(({ name }) => name)).toEqual(['tenant_id', 'platform']);
  });
});

describe('migrations', () => {
  test('run once when several processes start at the same time', async () => {
    const databaseUrl = await emptyDatabase();
    const runs = await Promise.all(Array.from({ length: 4 }, () => migrate({ databaseUrl })));
    expect(runs.flat()).toEqual(MIGRATIONS);
    expect(await migrate({ databaseUrl })).toEqual([]);
  });

  test('of several databases on one server do not get into each other’s way', async () => {
    const urls = await Promise.all(Array.from({ length: 4 }, () => emptyDatabase()));
    const runs = await Promise.all(urls.map((databaseUrl) => migrate({ databaseUrl })));
    expect(runs).toEqual(urls.map(() => MIGRATIONS));
  });
});

describe('an advisory lock', () => {
  test('excludes a second holder until the first is done', async () => {
    const { syncWorker } = await testDatabase();
    const signal = new AbortController().signal;
    const inner = await withAdvisoryLock(syncWorker, 'one', signal, async () => [
      await withAdvisoryLock(syncWorker, 'one', signal, async () => 'taken twice'),
      await withAdvisoryLock(syncWorker, 'other', signal, async () => 'another lock'),
    ]);
    expect(inner).toEqual([LOCKED, 'another lock']);
    expect(LOCKED).toEqual({ status: 'skipped', reason: 'locked' });
    expect(await withAdvisoryLock(syncWorker, 'one', signal, async () => 'free again')).toBe('free again');
  });

  test('is waited for as long as its caller wants, and no longer', async () => {
    const { syncWorker } = await testDatabase();
    const { signal } = new AbortController();
    const free = gate();
    const held = gate();
    const holder = withAdvisoryLock(syncWorker, 'one', signal, async () => {
      held.open();
      await free.opened;
    });
    await held.opened;
    const wait = (waitMs: number, until = signal) =>
      withAdvisoryLock(syncWorker, 'one', until, async () => 'taken', { waitMs });
    expect(await wait(150)).toBe(LOCKED);
    await expect(wait(60_000, AbortSignal.timeout(50))).rejects.toThrow('aborted');
    const second = wait(60_000);
    free.open();
    await holder;
    expect(await second).toBe('taken');
  });

  test('aborts its work when its connection is lost', async () => {
    const { owner, syncWorker } = await testDatabase();
    const work = withAdvisoryLock(syncWorker, 'one', new AbortController().signal, async (signal) => {
      await owner.query(
        `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      await waitFor('the signal to abort', () => signal.aborted);
      throw signal.reason;
    });
    await expect(work).rejects.toThrow(/The lock "one" was lost/);
  });
});

describe('what must happen once', () => {
  const count = async (pool: Pool): Promise<number> =>
    withTenant(pool, 1, async (client) => {
      const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM campaign');
      return Number(rows[0]?.count);
    });
  const addCampaign = async (client: PoolClient): Promise<string> => {
    await client.query(
      `INSERT INTO campaign (tenant_id, account_id, external_id, name, status, platform_status, currency, last_synced_at)
       SELECT 1, id, gen_random_uuid()::text, 'Once', 'active', 'ACTIVE', 'USD', now() FROM platform_account`,
    );
    return 'done';
  };

  test('happens once, of many at the same time', async () => {
    const { owner, syncWorker } = await testDatabase();
    await addTenant(owner, 1);
    const runs = await Promise.all(
      Array.from({ length: 8 }, () => once(syncWorker, { tenantId: 1, key: 'a' }, addCampaign)),
    );
    expect(runs.filter((run) => run === 'done')).toHaveLength(1);
    expect(runs).toContainEqual({ status: 'skipped', reason: 'already_processed' });
    expect(await count(syncWorker)).toBe(1);
  });

  test('is not done when it fails, and may be tried again', async () => {
    const { owner, syncWorker } = await testDatabase();
    await addTenant(owner, 1);
    const failing = once(syncWorker, { tenantId: 1, key: 'a' }, async (client) => {
      await addCampaign(client);
      throw new Error('after the work');
    });
    await expect(failing).rejects.toThrow('after the work');
    expect(await count(syncWorker)).toBe(0);
    expect(await once(syncWorker, { tenantId: 1, key: 'a' }, addCampaign)).toBe('done');
  });

  test('is a matter of each tenant', async () => {
    const { owner, syncWorker } = await testDatabase();
    await addTenant(owner, 1);
    await addTenant(owner, 2);
    const runs = [1, 2].map((tenantId) => once(syncWorker, { tenantId, key: 'a' }, async () => tenantId));
    expect(await Promise.all(runs)).toEqual([1, 2]);
  });
});

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
