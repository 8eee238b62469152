/** Every table that belongs to tenants, as every service's role: another tenant's rows are neither seen nor touched. */
import { SERVICE_ROLES, withTenant } from '@stratum/shared';
import type { Pool } from 'pg';
import { expect, test } from 'vitest';
import { testDatabase } from '../../harness/index.js';
import { fillDatabase } from './fill-database.js';

/** The gate itself, and what deletes, restores and erases. */
const MAY_READ_DELETED_AT = ['delete_tenant', 'erasable_tenants', 'is_open', 'restore_tenant'];

async function tenantTables(owner: Pool): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

test('all of them have row-level security, forced, with the tenant’s policy', async () => {
  const { owner } = await testDatabase();
  const tables = await tenantTables(owner);
  expect(tables.length).toBeGreaterThan(40);
  const { rows } = await owner.query<{ name: string; secured: boolean; policies: string[] }>(
    `SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS secured,
       ARRAY(SELECT pg_get_expr(polqual, polrelid) || '/' || pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE polrelid = c.oid AND polname = 'tenant_isolation') AS policies
     FROM pg_class c WHERE c.relname = ANY($1) AND c.relnamespace = 'public'::regnamespace ORDER BY 1`,
    [tables],
  );
  for (const { name, secured, policies } of rows) {
    expect(secured, name).toBe(true);
    expect(policies, name).toEqual(['(tenant_id = current_tenant())/(tenant_id = current_tenant())']);
  }
});

test('no role owns, bypasses or escapes anything', async () => {
  const { owner } = await testDatabase();
  const { rows } = await owner.query<{ rolname: string; free: boolean; owns: string }>(
    `SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin AS free,
       (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owns FROM pg_roles r WHERE rolname = ANY($1)`,
    [[...SERVICE_ROLES]],
  );
  expect(rows).toHaveLength(SERVICE_ROLES.length);
  for (const { rolname, free, owns } of rows)
    expect({ free, owns }, rolname).toEqual({ free: false, owns: '0' });
});

test.each(SERVICE_ROLES)(
  '%s sees nothing without a tenant and only its own rows with one, in every table it may read',
  async (role) => {
    const database = await testDatabase();
    const { owner, as } = database;
    await fillDatabase(database);
    const pool = as(role);
    const { rows: readable } = await owner.query<{ name: string; columns: string }>(
      `SELECT c.relname AS name, a.attname AS columns FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
     WHERE c.relname = ANY($1) AND c.relnamespace = 'public'::regnamespace AND has_column_privilege($2, c.oid, a.attnum, 'SELECT')`,
      [await tenantTables(owner), role],
    );
    let seen = 0;
    for (const { name } of readable) {
      const without = await pool.query<{ count: string }>(`SELECT count(tenant_id) FROM "${name}"`);
      expect(without.rows, name).toEqual([{ count: '0' }]);
      const others = await withTenant(pool, 1, (client) =>
        client.query<{ count: string }>(`SELECT count(tenant_id) FROM "${name}" WHERE tenant_id <> 1`),
      );
      expect(others.rows, name).toEqual([{ count: '0' }]);
      const { rows: theirs } = await owner.query<{ count: string }>(
        `SELECT count(tenant_id) FROM "${name}" WHERE tenant_id = 2`,
      );
      if (theirs[0]?.count !== '0') seen++;
    }
    // There was something to see.
    if (readable.length > 0) expect(seen).toBeGreaterThan(0);
    // What it may change it changes for its own tenant only.
    const { rows: changeable } = await owner.query<{ name: string; column: string }>(
      `SELECT DISTINCT ON (c.relname) c.relname AS name, a.attname AS "column" FROM pg_class c
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       WHERE c.relname = ANY($1) AND c.relnamespace = 'public'::regnamespace AND has_column_privilege($2, c.oid, a.attname, 'UPDATE')
         AND has_column_privilege($2, c.oid, a.attnum, 'SELECT') AND has_column_privilege($2, c.oid, a.attname, 'SELECT')
       ORDER BY c.relname, a.attnum DESC`,
      [await tenantTables(owner), role],
    );
    for (const { name, column } of changeable) {
      const change = `UPDATE "${name}" SET "${column}" = "${column}" WHERE tenant_id = 2`;
      expect((await withTenant(pool, 1, (client) => client.query(change))).rowCount, name).toBe(0);
      expect((await pool.query(change)).rowCount, name).toBe(0);
    }
    // A writer cannot leave a row with somebody else.
    const { rows: writable } = await owner.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c WHERE c.relname = ANY($1) AND c.relnamespace = 'public'::regnamespace AND has_table_privilege($2, c.oid, 'INSERT')`,
      [await tenantTables(owner), role],
    );
    for (const { name } of writable) {
      const intrusion = withTenant(pool, 1, (client) =>
        client.query(
          `INSERT INTO "${name}" SELECT (jsonb_populate_record(NULL::"${name}", '{"tenant_id": 2}')).*`,
        ),
      );
      await expect(intrusion, name).rejects.toThrow(/row-level security|permission denied for table/);
    }
  },
);

/** What no other role may read: what opens the accounts of others, and numbers of people. */
const SECRETS: Readonly<Record<string, readonly string[]>> = {
  'platform_account.credentials_ciphertext': ['stratum_rules_worker', 'stratum_sync_worker'],
  'whatsapp_account.secret': ['stratum_default_worker'],
  'whatsapp_contact.phone': ['stratum_default_worker'],
  'cms_site.secret': ['stratum_default_worker'],
  'cdp_identity.ciphertext': ['stratum_api', 'stratum_cdp_worker'],
  'api_key.secret_hash': ['stratum_api'],
  'webhook_endpoint.secret': ['stratum_api'],
  'inbound_webhook_delivery.body': ['stratum_api', 'stratum_default_worker'],
  'event_source.key_hash': ['stratum_api'],
  'privacy_request.person': ['stratum_api', 'stratum_default_worker'],
  'subscription.secret': ['stratum_api', 'stratum_default_worker'],
};
/** Rows that a service replaces; all others stay. */
const MAY_DELETE: Readonly<Record<string, readonly string[]>> = {
  campaign_metric_intraday: ['stratum_sync_worker'],
  cdp_funnel: ['stratum_api'],
  cdp_rfm: ['stratum_cdp_worker'],
  cdp_segment: ['stratum_api'],
  cost_allocation: ['stratum_default_worker'],
  failure_state: ['stratum_dashboard'],
  saved_view: ['stratum_dashboard'],
  shared_cost: ['stratum_api'],
  subscription: ['stratum_api'],
};

test('whether a tenant may do anything is asked of one function', async () => {
  const { owner } = await testDatabase();
  const { rows } = await owner.query<{ name: string }>(
    `SELECT proname AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosrc ~ 'deleted_at' ORDER BY 1`,
  );
  expect(rows.map(({ name }) => name)).toEqual(MAY_READ_DELETED_AT);
});

test('only the roles that need it read secrets or delete rows', async () => {
  const { owner } = await testDatabase();
  for (const [place, allowed] of Object.entries(SECRETS)) {
    const [table, column] = place.split('.');
    const { rows } = await owner.query<{ role: string }>(
      `SELECT role FROM unnest($1::text[]) role WHERE has_column_privilege(role, $2, $3, 'SELECT') ORDER BY 1`,
      [[...SERVICE_ROLES], table, column],
    );
    expect(
      rows.map(({ role }) => role),
      place,
    ).toEqual(allowed);
  }
  const { rows: deleting } = await owner.query<{ name: string; roles: string[] }>(
    `SELECT c.relname::text AS name, array_agg(role ORDER BY role) AS roles FROM pg_class c, unnest($1::text[]) role
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND has_table_privilege(role, c.oid, 'DELETE, TRUNCATE') GROUP BY 1 ORDER BY 1`,
    [[...SERVICE_ROLES]],
  );
  expect(Object.fromEntries(deleting.map(({ name, roles }) => [name, roles]))).toEqual(MAY_DELETE);
});
