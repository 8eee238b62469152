/** All tenants of the viewer, each with the age of its data by platform: by the same rules as the hourly check of pipelines. */
import { platformTitle } from '@stratum/shared/ad-accounts';
import { isStale, STALE_MS, statusOf } from '@stratum/shared/pipeline';
import type { Pool } from 'pg';
import { z } from 'zod';
import type { Scope } from '@stratum/shared/task-history';

const time = z.iso.datetime();
export const pipelineStatus = z.enum(['healthy', 'degraded', 'critical']);
export const pipelineFindings = z.array(
  z.object({ severity: pipelineStatus.exclude(['healthy']), text: z.string() }),
);

const platformCell = z
  .object({
    platform: z.string(),
    title: z.string().describe('For people.'),
    accounts: z.int(),
    oldest_sync: time
      .nullable()
      .describe('Of the account whose data are oldest; `null`: one was never synced.'),
    late: z.int(),
    reconnect: z.int().describe('Accounts that have to be connected again.'),
  })
  .meta({ id: 'PlatformCell' });
export type PlatformCell = z.output<typeof platformCell>;

const pipelineRow = z
  .object({
    tenant_id: z.int(),
    name: z.string(),
    status: pipelineStatus.nullable().describe('Of the newest check; `null`: it was never checked.'),
    checked_at: time.nullable(),
    findings: pipelineFindings,
    open_alerts: z.int(),
    platforms: z.array(platformCell),
  })
  .meta({ id: 'PipelineRow' });
export type PipelineRow = z.output<typeof pipelineRow>;

export const pipelineOverview = z.object({
  rows: z.array(pipelineRow).describe('The worst first.'),
  more: z.boolean().describe('Whether more tenants exist than are listed.'),
  target_ms: z.int().describe('Data older than this are late.'),
  now: time,
});
export type PipelineOverview = z.output<typeof pipelineOverview>;

const MAX_ROWS = 500;

const rowSchema = z.object({
  tenant_id: z.coerce.number(),
  name: z.string(),
  accounts: z.array(
    z.object({
      platform: z.string(),
      status: z.string(),
      last_synced_at: z
        .string()
        .nullable()
        .transform((at) => (at === null ? null : new Date(at))),
    }),
  ),
  status: pipelineStatus.nullable(),
  checked_at: z.date().nullable(),
  findings: pipelineFindings,
  alerts: z.coerce.number(),
});
type Account = z.output<typeof rowSchema>['accounts'][number];

/** The worst first. */
export async function readPipelineOverview(pool: Pool, scope: Scope): Promise<PipelineOverview> {
  const now = new Date();
  const { rows } = await pool.query('SELECT * FROM pipeline_overview($1, $2)', [scope, MAX_ROWS + 1]);
  return {
    rows: rows.slice(0, MAX_ROWS).map((row) => toRow(rowSchema.parse(row), now)),
    more: rows.length > MAX_ROWS,
    target_ms: STALE_MS,
    now: now.toISOString(),
  };
}

function toRow(row: z.output<typeof rowSchema>, now: Date): PipelineRow {
  const platforms = [...new Set(row.accounts.map(({ platform }) => platform))].map((platform) =>
    cellOf(
      platform,
      row.accounts.filter((account) => account.platform === platform),
      now,
    ),
  );
  return {
    tenant_id: row.tenant_id,
    name: row.name,
    status: row.status === null ? null : statusOf(row.findings),
    checked_at: row.checked_at?.toISOString() ?? null,
    findings: row.findings,
    open_alerts: row.alerts,
    platforms,
  };
}

function cellOf(platform: string, accounts: readonly Account[], now: Date): PlatformCell {
  const times = accounts.map(({ last_synced_at: at }) => at?.getTime() ?? -Infinity);
  const oldest = Math.min(...times);
  return {
    platform,
    title: platformTitle(platform),
    accounts: accounts.length,
    oldest_sync: oldest === -Infinity ? null : new Date(oldest).toISOString(),
    late: accounts.filter(({ status, last_synced_at: lastSyncedAt }) =>
      isStale({ status, lastSyncedAt }, now),
    ).length,
    reconnect: accounts.filter(({ status }) => status === 'needs_reconnect').length,
  };
}
