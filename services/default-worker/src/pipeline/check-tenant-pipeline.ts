/** `check_tenant_pipeline`: one row for each check; a change of the status is reported once, recovery included. */
import type { HandlerFor } from '@stratum/jobs';
import { closeAlert, openAlert, withTenant, type checkTenantPipeline } from '@stratum/shared';
import type { Pool, PoolClient } from 'pg';
import {
  findingsOf,
  isStale,
  statusOf,
  type AccountState,
  type Finding,
  type PipelineStatus,
} from './findings.js';

const ALERT_KEY = 'pipeline';

const READ = `
  SELECT a.platform, a.external_id, a.status, a.last_synced_at, a.token_expires_at, runs.runs, runs.failed, gaps.missing
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
  platform: string;
  external_id: string;
  status: string;
  last_synced_at: Date | null;
  token_expires_at: Date | null;
  runs: number;
  failed: number;
  missing: string[];
}

export function checkTenantPipelineHandler({ pool }: { pool: Pool }): HandlerFor<typeof checkTenantPipeline> {
  return ({ tenant_id: tenantId, checked_at: checkedAt, queues, dead_letters: deadLetters }) =>
    withTenant(pool, tenantId, async (client) => {
      const at = new Date(checkedAt);
      const { rows } = await client.query<AccountRow>(READ, [checkedAt]);
      const accounts = rows.map(accountOf);
      const findings = findingsOf(accounts, { queues, deadLetters }, at);
      const status = statusOf(findings);
      const platforms = accounts.map((account) => ({
        platform: account.platform,
        account: account.externalId,
        last_synced_at: account.lastSyncedAt,
        stale: isStale(account, at),
      }));
      const before = await lastStatus(client, checkedAt);
      const { rowCount } = await client.query(
        `INSERT INTO pipeline_check (tenant_id, checked_at, status, findings, platforms) VALUES (current_tenant(), $1, $2, $3, $4)
         ON CONFLICT DO NOTHING`,
        [checkedAt, status, JSON.stringify(findings), JSON.stringify(platforms)],
      );
      if (rowCount === 1 && status !== before)
        await tellChange(client, { tenantId, status, before, findings, at });
      return { tenant_id: tenantId, status, findings: findings.map(({ text }) => text) };
    });
}

function accountOf(row: AccountRow): AccountState {
  return {
    platform: row.platform,
    externalId: row.external_id,
    status: row.status,
    lastSyncedAt: row.last_synced_at,
    tokenExpiresAt: row.token_expires_at,
    runs: row.runs,
    failed: row.failed,
    missingDays: row.missing,
  };
}

async function lastStatus(client: PoolClient, before: string): Promise<PipelineStatus> {
  const { rows } = await client.query<{ status: PipelineStatus }>(
    'SELECT status FROM pipeline_check WHERE checked_at < $1 ORDER BY checked_at DESC LIMIT 1',
    [before],
  );
  return rows[0]?.status ?? 'healthy';
}

async function tellChange(
  client: PoolClient,
  change: { tenantId: number; status: PipelineStatus; before: PipelineStatus; findings: Finding[]; at: Date },
): Promise<void> {
  const { tenantId, status, before, findings, at } = change;
  await closeAlert(client, ALERT_KEY, status === 'healthy' ? 'recovered' : `now ${status}`, at);
  if (status === 'healthy') {
    const key = `${ALERT_KEY}/recovered`;
    const title = 'The data pipeline has recovered';
    await openAlert(client, {
      tenantId,
      key,
      kind: 'pipeline_recovered',
      severity: 'info',
      title,
      message: `It was ${before}.`,
      at,
    });
    // News, not a condition: it is over once reported.
    await closeAlert(client, key, 'reported', at);
    return;
  }
  await openAlert(client, {
    tenantId,
    key: ALERT_KEY,
    kind: 'pipeline_health',
    severity: status === 'critical' ? 'critical' : 'warning',
    title: `The data pipeline is ${status}`,
    message: findings.map(({ text }) => text).join('; '),
    details: { findings },
    at,
  });
}
