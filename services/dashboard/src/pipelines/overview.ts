/** All tenants of the viewer, each with the age of its data by platform: by the same rules as the hourly check of pipelines. */
import { platformTitle } from '@stratum/shared/ad-accounts';
import { isStale, STALE_MS, statusOf, type Finding, type PipelineStatus } from '@stratum/shared/pipeline';
import type { Pool } from 'pg';
import { z } from 'zod';
import type { Scope } from '@stratum/shared/task-history';

export interface PlatformCell {
  platform: string;
  /** For people. */
  title: string;
  accounts: number;
  /** Of the account whose data are oldest; `null`: one was never synced. */
  oldest_sync: string | null;
  late: number;
  /** Accounts that have to be connected again. */
  reconnect: number;
}

export interface PipelineRow {
  tenant_id: number;
  name: string;
  /** Of the newest check; `null`: it was never checked. */
  status: PipelineStatus | null;
  checked_at: string | null;
  findings: Finding[];
  open_alerts: number;
  platforms: PlatformCell[];
}

export interface PipelineOverview {
  rows: PipelineRow[];
  /** Whether more tenants exist than are listed. */
  more: boolean;
  /** Data older than this are late, in milliseconds. */
  target_ms: number;
  now: string;
}

const MAX_ROWS = 500;

const findingsSchema = z.array(z.object({ severity: z.enum(['degraded', 'critical']), text: z.string() }));
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
  status: z.enum(['healthy', 'degraded', 'critical']).nullable(),
  checked_at: z.date().nullable(),
  findings: findingsSchema,
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
