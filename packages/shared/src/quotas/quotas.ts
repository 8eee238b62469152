/** The limits of a tenant: its plan's, or what the operator has set instead. Inside the caller's transaction, as the tenant. */
import { PLATFORM_TENANT_ID } from '../database/tenants.js';
import type { Queryable } from '../database/database.js';
import { QUOTA_NAMES, QuotaExceededError, quotasOfPlan, type QuotaLimits, type QuotaName } from './limits.js';

export interface TenantQuotas {
  plan: string;
  limits: QuotaLimits;
  /** Those that the operator has set. */
  own: ReadonlySet<QuotaName>;
}

/** `undefined` for a tenant that does not exist, and for the platform, which has no limits. */
export async function readQuotas(client: Queryable): Promise<TenantQuotas | undefined> {
  const { rows } = await client.query<{ id: string; plan: string; own: Record<string, number> }>(
    `SELECT id, plan, coalesce((SELECT jsonb_object_agg(name, value) FROM tenant_quota WHERE tenant_id = current_tenant() AND value IS NOT NULL), '{}') AS own
     FROM tenant WHERE id = current_tenant()`,
  );
  const [row] = rows;
  if (row === undefined || Number(row.id) === PLATFORM_TENANT_ID) return undefined;
  const own = new Set(QUOTA_NAMES.filter((name) => row.own[name] !== undefined));
  const planned = quotasOfPlan(row.plan);
  const limits = QUOTA_NAMES.map((name) => [name, row.own[name] ?? planned[name]]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fromEntries loses the names of the keys
  return { plan: row.plan, limits: Object.fromEntries(limits) as QuotaLimits, own };
}

/** @param value `null`: as the plan says. Returns the value before, `null` where it was the plan's */
export async function setQuota(
  client: Queryable,
  name: QuotaName,
  value: number | null,
): Promise<number | null> {
  const { rows } = await client.query<{ value: string | null }>(
    'SELECT value FROM tenant_quota WHERE tenant_id = current_tenant() AND name = $1',
    [name],
  );
  await client.query(
    `INSERT INTO tenant_quota (tenant_id, name, value) VALUES (current_tenant(), $1, $2)
     ON CONFLICT (tenant_id, name) DO UPDATE SET value = $2, changed_at = now()`,
    [name, value],
  );
  const before = rows[0]?.value ?? null;
  return before === null ? null : Number(before);
}

/** Limits of rows in the database, each with the count of what it limits. */
const COUNTS = {
  api_keys: `SELECT count(*) FROM api_key WHERE tenant_id = current_tenant() AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
  sources: `SELECT count(*) FROM event_source WHERE tenant_id = current_tenant() AND status <> 'removed'`,
  webhook_endpoints: `SELECT count(*) FROM webhook_endpoint WHERE tenant_id = current_tenant() AND removed_at IS NULL`,
  subscriptions: `SELECT count(*) FROM subscription WHERE tenant_id = current_tenant()`,
} as const satisfies Partial<Record<QuotaName, string>>;
export type CountedQuota = keyof typeof COUNTS;

/** How many rows of each kind there are. */
export async function countUse(client: Queryable): Promise<Record<CountedQuota, number>> {
  const columns = Object.entries(COUNTS).map(([name, query]) => `(${query})::int AS ${name}`);
  const { rows } = await client.query<Record<CountedQuota, number>>(`SELECT ${columns.join(', ')}`);
  const [row] = rows;
  if (row === undefined) throw new Error('The use of the tenant was not counted.');
  return row;
}

/** Before one more row is stored. Of two at the same time the second counts the first. @throws QuotaExceededError */
export async function requireRoom(client: Queryable, quota: CountedQuota): Promise<void> {
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('stratum.quota'), current_tenant()::int)`);
  const quotas = await readQuotas(client);
  if (quotas === undefined) return;
  const { rows } = await client.query<{ count: string }>(COUNTS[quota]);
  const used = Number(rows[0]?.count ?? 0);
  const limit = quotas.limits[quota];
  if (used >= limit) throw new QuotaExceededError(quota, limit, used + 1, used);
}
