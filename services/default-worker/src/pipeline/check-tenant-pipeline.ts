/** `check_tenant_pipeline`: one row for each check; a change of the status is reported once, recovery included. */
import type { HandlerFor } from '@stratum/jobs';
import { closeAlert, openAlert, withTenant, type checkTenantPipeline } from '@stratum/shared';
import {
  findingsOf,
  isStale,
  readAccounts,
  statusOf,
  type Finding,
  type PipelineStatus,
} from '@stratum/shared/pipeline';
import type { Pool, PoolClient } from 'pg';
import { readIdleJobs } from './idle-jobs.js';

const ALERT_KEY = 'pipeline';

export function checkTenantPipelineHandler({ pool }: { pool: Pool }): HandlerFor<typeof checkTenantPipeline> {
  return ({ tenant_id: tenantId, checked_at: checkedAt, queues, dead_letters: deadLetters }) =>
    withTenant(pool, tenantId, async (client) => {
      const at = new Date(checkedAt);
      const accounts = await readAccounts(client, at);
      const findings = findingsOf(accounts, { queues, deadLetters }, at);
      const status = statusOf(findings);
      const platforms = accounts.map((account) => ({
        platform: account.platform,
        account: account.externalId,
        last_synced_at: account.lastSyncedAt,
        stale: isStale(account, at),
      }));
      const idleJobs = await readIdleJobs(client, at);
      const before = await lastStatus(client, checkedAt);
      const { rowCount } = await client.query(
        `INSERT INTO pipeline_check (tenant_id, checked_at, status, findings, platforms, idle_jobs) VALUES (current_tenant(), $1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING`,
        [checkedAt, status, ...[findings, platforms, idleJobs].map((each) => JSON.stringify(each))],
      );
      if (rowCount === 1 && status !== before)
        await tellChange(client, { tenantId, status, before, findings, at });
      return { tenant_id: tenantId, status, findings: findings.map(({ text }) => text), idle_jobs: idleJobs };
    });
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
