/** The state of a tenant's ad accounts and of their data. Inside the caller's transaction, as the tenant. */
import type { Queryable } from '../database/database.js';
import type { AccountState } from './findings.js';

const READ = `
  SELECT a.id, a.platform, a.external_id, a.status, a.last_synced_at, a.token_expires_at, runs.runs, runs.failed, gaps.missing
  FROM platform_account a
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS runs, (count(*) FILTER (WHERE outcome = 'failed'))::int AS failed FROM sync_run r
    WHERE r.tenant_id = a.tenant_id AND r.account_id = a.id AND r.outcome <> 'running' AND r.finished_at > $1::timestamptz - interval '1 day'
      AND r.finished_at <= $1
  ) runs
  CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(day::date::text ORDER BY day) FILTER (WHERE NOT EXISTS (
      SELECT FROM campaign_metric_daily m JOIN campaign c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id
      WHERE c.tenant_id = a.tenant_id AND c.account_id = a.id AND m.date = day::date)), '{}') AS missing
    FROM (
      SELECT min(m.date) AS first FROM campaign_metric_daily m JOIN campaign c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id
      WHERE c.tenant_id = a.tenant_id AND c.account_id = a.id AND m.date >= $1::date - 60) known
    CROSS JOIN LATERAL generate_series(greatest($1::date - 7, known.first), $1::date - 1, interval '1 day') AS day
    -- Where nothing runs, nothing is missing.
    WHERE known.first IS NOT NULL AND EXISTS (
      SELECT FROM campaign c WHERE c.tenant_id = a.tenant_id AND c.account_id = a.id AND c.status = 'active')
  ) gaps
  WHERE a.status <> 'disconnected'
  ORDER BY a.platform, a.external_id`;

interface AccountRow {
  id: string;
  platform: string;
  external_id: string;
  status: string;
  last_synced_at: Date | null;
  token_expires_at: Date | null;
  runs: number;
  failed: number;
  missing: string[];
}

/** Accounts that are connected, or should be again. */
export async function readAccounts(client: Queryable, at: Date): Promise<AccountState[]> {
  const { rows } = await client.query<AccountRow>(READ, [at]);
  return rows.map((row) => ({
    id: Number(row.id),
    platform: row.platform,
    externalId: row.external_id,
    status: row.status,
    lastSyncedAt: row.last_synced_at,
    tokenExpiresAt: row.token_expires_at,
    runs: row.runs,
    failed: row.failed,
    missingDays: row.missing,
  }));
}
