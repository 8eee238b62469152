/** Databases of earlier versions are migrated, and keep their data. */
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openDatabase, SERVICE_ROLES, withTenant } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';
import { runner } from 'node-pg-migrate';
import type { Pool } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { emptyDatabase } from '../../harness/index.js';

const FOLDER = fileURLToPath(new URL('../../../../packages/cli/migrations', import.meta.url));

/** A database as it was when so many migrations were there. */
async function databaseAt(count: number): Promise<{ databaseUrl: string; owner: Pool }> {
  const databaseUrl = await emptyDatabase();
  await runner({
    databaseUrl,
    dir: FOLDER,
    direction: 'up',
    count,
    migrationsTable: 'schema_migration',
    log: () => undefined,
  });
  const owner = openDatabase({ url: databaseUrl, name: 'test-owner' });
  onTestFinished(() => owner.end());
  return { databaseUrl, owner };
}

/** What the first version had: two tenants with campaigns, figures, runs and keys. */
async function fillFirstVersion(owner: Pool): Promise<void> {
  for (const tenantId of [1, 2]) {
    await withTenant(owner, tenantId, async (client) => {
      await client.query(
        `INSERT INTO tenant (id, name, currency) VALUES ($1::bigint, 'Tenant ' || $1::bigint, 'USD')`,
        [tenantId],
      );
      await client.query(
        `INSERT INTO platform_account (tenant_id, id, platform, external_id, currency) VALUES ($1, $1, 'meta', 'm', 'USD')`,
        [tenantId],
      );
      await client.query(
        `INSERT INTO campaign (tenant_id, id, account_id, external_id, name, status, platform_status, currency, labels, last_synced_at)
         VALUES ($1, $1, $1, 'x', 'Brand', 'active', 'ACTIVE', 'USD', '{kept}', now())`,
        [tenantId],
      );
      await client.query(`SELECT ensure_metric_partition('2026-11-01')`);
      await client.query(
        `INSERT INTO campaign_metric_daily (tenant_id, campaign_id, date, currency, impressions, clicks, spend, conversions)
         VALUES ($1, $1, '2026-11-19', 'USD', 1000, 10, 12.34, 1), ($1, $1, '2026-10-01', 'USD', 1000, 10, 0.000001, 1)`,
        [tenantId],
      );
      await client.query(
        `INSERT INTO sync_run (tenant_id, account_id, task_id, window_since, window_until) VALUES ($1, $1, 't', '2026-11-01', '2026-11-19')`,
        [tenantId],
      );
      await client.query(`INSERT INTO processed_key (tenant_id, key) VALUES ($1, 'k')`, [tenantId]);
    });
  }
}

async function dump(owner: Pool, columns: string): Promise<unknown[]> {
  const { rows } = await owner.query(
    `SELECT ${columns} FROM tenant t JOIN platform_account a ON a.tenant_id = t.id JOIN campaign c ON c.tenant_id = t.id
     JOIN campaign_metric_daily m ON m.tenant_id = t.id JOIN sync_run r ON r.tenant_id = t.id JOIN processed_key k ON k.tenant_id = t.id
     ORDER BY t.id, m.date`,
  );
  return rows;
}

const KEPT =
  't.id, t.name, a.external_id, c.name AS campaign, c.labels, m.date::text, m.spend, m.conversions, r.task_id, k.key';

test('the schema of the first version is migrated with its data', async () => {
  const { databaseUrl, owner } = await databaseAt(2);
  await fillFirstVersion(owner);
  const before = await dump(owner, KEPT);
  expect(before).toHaveLength(4);
  const run = await migrate({ databaseUrl });
  expect(run[0]).toBe('20261124090636_daily_jobs');
  expect(await dump(owner, KEPT)).toEqual(before);
  const [first] = await dump(owner, 'a.token_expires_at, c.scaling_score, c.scored_on');
  expect(first).toEqual({ token_expires_at: null, scaling_score: null, scored_on: null });
  // Each service finds the rows of the tenant that it works for, of those tables that it reads.
  for (const role of SERVICE_ROLES.filter((each) => /sync|default|rules|ml/.test(each))) {
    const pool = openDatabase({ url: databaseUrl, name: 'test-service', role });
    onTestFinished(() => pool.end());
    const seen = await withTenant(pool, 2, (client) => client.query('SELECT tenant_id, name FROM campaign'));
    expect(seen.rows, role).toEqual([{ tenant_id: '2', name: 'Brand' }]);
  }
});

test('what was logged twice and scored before is settled on the way', async () => {
  const { databaseUrl, owner } = await databaseAt(8);
  await fillFirstVersion(owner);
  await owner.query(
    `INSERT INTO rule (tenant_id, id, name, definition) VALUES (1, 1, 'Rule', '{}');
     INSERT INTO rule_execution (tenant_id, rule_id, campaign_id, evaluated_at, outcome, seen, done)
     VALUES (1, 1, 1, '2026-11-20Z', 'held', '[]', '{first}'), (1, 1, 1, '2026-11-20Z', 'held', '[]', '{second}'), (1, 1, 1, '2026-11-21Z', 'fired', '[]', '{}');
     INSERT INTO daily_score (tenant_id, campaign_id, date, verdict, score, health, reasons, evidence)
     VALUES (1, 1, '2026-11-17', 'watch', 0.1, 55, '{}', '{}'), (1, 1, '2026-11-18', 'scale', 0.4, 70, '{}', '{}'), (1, 1, '2026-11-19', 'not_enough_data', NULL, NULL, '{}', '{}');
     INSERT INTO platform_action (tenant_id, rule_id, campaign_id, kind, target, cooldown_slot, proposed_at) VALUES (1, 1, 1, 'status', 'paused', 1, now())`,
  );
  expect((await migrate({ databaseUrl }))[0]).toBe('20261124215246_settled_jobs');
  const { rows: looks } = await owner.query('SELECT outcome, done FROM rule_execution ORDER BY evaluated_at');
  expect(looks).toEqual([
    { outcome: 'held', done: ['first'] },
    { outcome: 'fired', done: [] },
  ]);
  const { rows: campaigns } = await owner.query(
    'SELECT scaling_score, health_score, scored_on::text FROM campaign ORDER BY tenant_id',
  );
  expect(campaigns).toEqual([
    { scaling_score: 0.4, health_score: 70, scored_on: '2026-11-18' },
    { scaling_score: null, health_score: null, scored_on: null },
  ]);
  const { rows: actions } = await owner.query('SELECT created_at IS NOT NULL AS dated FROM platform_action');
  expect(actions).toEqual([{ dated: true }]);
});

test('webhooks keep their rows under the new names, and processes of the release before still reach them', async () => {
  const files = await readdir(FOLDER);
  const { databaseUrl, owner } = await databaseAt(files.filter((file) => file < '20261129080000').length);
  await owner.query(
    `INSERT INTO tenant (id, name, currency) VALUES (1, 'One', 'USD'), (2, 'Two', 'USD');
     INSERT INTO webhook_endpoint (tenant_id, id, token, source, name, secret, secret_key_id)
     VALUES (1, 'endpointendpoint', 'tokentokentokentokentoke', 'github', 'e', '', 'k');
     INSERT INTO webhook_delivery (tenant_id, endpoint_id, dedup_key, identity, type, received_at, state, body, body_key_id)
     VALUES (1, 'endpointendpoint', 'first', 'i', 't', now(), 'processed', '', 'k');
     INSERT INTO subscription (tenant_id, id, url, event_types, secret, secret_key_id) VALUES (1, 'subscriptionsubs', 'u', '{t}', '', 'k');
     INSERT INTO domain_event (tenant_id, id, type, data, occurred_at) VALUES (1, 1, 't', '{}', now()), (1, 2, 't', '{}', now());
     INSERT INTO webhook_message (tenant_id, subscription_id, event_id, next_attempt_at) VALUES (1, 'subscriptionsubs', 1, now());
     INSERT INTO webhook_attempt (tenant_id, subscription_id, event_id, attempt, at, duration_ms) VALUES (1, 'subscriptionsubs', 1, 1, now(), 1)`,
  );
  await migrate({ databaseUrl });
  for (const table of ['inbound_webhook_delivery', 'outbound_webhook_message', 'outbound_webhook_attempt'])
    expect((await owner.query(`SELECT FROM ${table}`)).rowCount, table).toBe(1);
  const { rows: oldNames } = await owner.query(
    `SELECT relname FROM pg_class WHERE relkind <> 'v' AND relname ~ '^webhook_(delivery|message|attempt)'
     UNION ALL SELECT conname FROM pg_constraint WHERE conname ~ '^webhook_(delivery|message|attempt)'`,
  );
  expect(oldNames).toEqual([]);

  const worker = openDatabase({ url: databaseUrl, name: 'test-worker', role: 'stratum_default_worker' });
  onTestFinished(() => worker.end());
  const scheduler = openDatabase({ url: databaseUrl, name: 'test-scheduler', role: 'stratum_scheduler' });
  onTestFinished(() => scheduler.end());
  expect(
    (await scheduler.query(`SELECT event_id FROM expect_webhooks('{1,1}', '{1,2}') ORDER BY 1`)).rows,
  ).toEqual([{ event_id: '1' }, { event_id: '2' }]);
  const insertion = `INSERT INTO webhook_delivery (tenant_id, endpoint_id, dedup_key, identity, type, received_at, state, body, body_key_id)
    VALUES (1, 'endpointendpoint', $1, 'i', 't', now(), 'received', '', 'k') ON CONFLICT (tenant_id, endpoint_id, dedup_key) DO NOTHING RETURNING id`;
  await withTenant(worker, 1, async (client) => {
    expect((await client.query(insertion, ['first'])).rowCount).toBe(0);
    expect((await client.query(insertion, ['second'])).rowCount).toBe(1);
    await client.query(`SELECT id FROM webhook_delivery WHERE dedup_key = 'second' FOR UPDATE`);
    await client.query(`UPDATE webhook_delivery SET state = 'ignored' WHERE dedup_key = 'second'`);
    await client.query(
      `UPDATE webhook_message m SET claim = 'c', claimed_until = now() FROM (
         SELECT w.event_id FROM webhook_message w WHERE w.event_id = 2 FOR UPDATE OF w SKIP LOCKED) next
       WHERE m.event_id = next.event_id`,
    );
    await client.query(
      `INSERT INTO webhook_attempt (tenant_id, subscription_id, event_id, attempt, at, duration_ms) VALUES (1, 'subscriptionsubs', 2, 1, now(), 1)`,
    );
  });
  expect(
    (await owner.query('SELECT dedup_key, state FROM inbound_webhook_delivery ORDER BY id')).rows,
  ).toEqual([
    { dedup_key: 'first', state: 'processed' },
    { dedup_key: 'second', state: 'ignored' },
  ]);
  // As before, none of another tenant's.
  await withTenant(worker, 2, async (client) => {
    expect((await client.query('SELECT FROM webhook_delivery')).rowCount).toBe(0);
    await expect(client.query(insertion, ['third'])).rejects.toThrow('row-level security');
  });
});

test('every migration is named by the time it was written, and no two by the same', async () => {
  const files = await readdir(FOLDER);
  expect(files.filter((file) => !/^\d{14}_[a-z0-9_]+\.sql$/.test(file))).toEqual([]);
  expect(new Set(files.map((file) => file.slice(0, 14))).size).toBe(files.length);
  expect(new Set(files.map((file) => file.slice(15))).size).toBe(files.length);
});

test('a database whose migrations were numbered is up to date under the new names', async () => {
  const { databaseUrl, owner } = await databaseAt(100);
  const names = 'SELECT name FROM schema_migration ORDER BY run_on, id';
  const { rows: before } = await owner.query<{ name: string }>(names);
  await owner.query(
    `UPDATE schema_migration SET name = lpad(id::text, 4, '0') || substr(name, 15) WHERE name ~ '^\\d{14}_'`,
  );
  expect((await owner.query<{ name: string }>(names)).rows[0]?.name).toBe('0001_foundation');
  expect(await migrate({ databaseUrl })).toEqual([]);
  expect((await owner.query(names)).rows).toEqual(before);
});

test('a migration of a branch that was merged late is run although newer ones have been', async () => {
  const { databaseUrl, owner } = await databaseAt(100);
  const { rows } = await owner.query<{ name: string }>(
    `DELETE FROM schema_migration WHERE name LIKE '%profiles_through_the_api' RETURNING name`,
  );
  expect(await migrate({ databaseUrl })).toEqual(rows.map(({ name }) => name));
});

test('the database accepts the ad platforms of the code, whatever it accepted before, and keeps its accounts', async () => {
  const { databaseUrl, owner } = await databaseAt(100);
  const insertion = `INSERT INTO platform_account (tenant_id, platform, external_id, currency) VALUES (1, $1, '1', 'USD')`;
  await owner.query(
    `INSERT INTO tenant (id, name, currency) VALUES (1, 'One', 'USD');
     ALTER TABLE platform_account DROP CONSTRAINT platform_account_platform_check,
       ADD CONSTRAINT platform_account_platform_check CHECK (platform IN ('meta', 'former'))`,
  );
  await owner.query(insertion, ['former']);
  expect(await migrate({ databaseUrl })).toEqual([]);
  for (const name of PLATFORM_NAMES) await owner.query(insertion, [name]);
  await expect(owner.query(insertion, ['another'])).rejects.toThrow('platform_check');
  expect((await owner.query(`SELECT FROM platform_account WHERE platform = 'former'`)).rowCount).toBe(1);
});
