/** One tenant's data: its accounts, the jobs that keep them fresh, and what is wrong now. */
import type { Schedules } from '@stratum/jobs';
import { cadenceOf } from '@stratum/jobs/internal';
import { withTenant } from '@stratum/shared';
import {
  findingsOf,
  isStale,
  readAccounts,
  statusOf,
  STALE_MS,
  type AccountState,
  type PipelineStatus,
} from '@stratum/shared/pipeline';
import { platformTitle } from '@stratum/shared/ad-accounts';
import type { Pool, PoolClient } from 'pg';
import { z } from 'zod';
import { type Names, stateOfCode } from '@stratum/shared/task-history';
import { PIPELINE_JOBS } from './jobs.js';
import {
  pipelineAlert,
  syncRun,
  type JobRow,
  type PipelineAccount,
  type PipelineAlert,
  type SyncRun,
  type TenantPipeline,
} from './tenant-pipeline-view.js';

interface Sources {
  pool: Pool;
  names: Names;
  schedules: Schedules;
}

/** Runs of a job are looked for as far back. */
const JOB_DAYS = 3;
const DAY_MS = 86_400_000;
/** Between two ticks of a job. */
const LONGEST_MS = DAY_MS;
const MAX_ALERTS = 50;
const JOB_ENTRIES: ReadonlySet<string> = new Set(PIPELINE_JOBS.map(({ schedule }) => schedule.name));
/** A job is late when a tick is this long past and nothing has succeeded since. */
const GRACE_MS = 1_800_000;

/** `undefined`: there is no such tenant. */
export async function readTenantPipeline(
  { pool, names, schedules }: Sources,
  tenantId: number,
): Promise<TenantPipeline | undefined> {
  const now = new Date();
  const [own, entries] = await Promise.all([
    withTenant(pool, tenantId, async (client) => ({
      accounts: await readAccounts(client, now),
      runs: await lastSyncs(client),
      alerts: await openAlerts(client),
      ...(await lastCheck(client)),
      jobs: await readJobs(client, tenantId, now),
    })),
    schedules.list({ names: (entry) => JOB_ENTRIES.has(entry) }),
  ]);
  if (own.name === undefined) return undefined;
  await names.learn(pool, own.jobs);
  const findings = findingsOf(own.accounts, { queues: [], deadLetters: 0 }, now);
  return {
    tenant_id: tenantId,
    name: own.name,
    status: statusOf(findings),
    findings,
    checked: own.checked,
    accounts: own.accounts.map((account) => accountOf(account, own.runs.get(account.id), now)),
    jobs: jobsOf(own.jobs, names, entries, own.accounts.length > 0, now),
    alerts: own.alerts,
    target_ms: STALE_MS,
    now: now.toISOString(),
  };
}

function accountOf(account: AccountState, run: SyncRun | undefined, now: Date): PipelineAccount {
  return {
    platform: account.platform,
    title: platformTitle(account.platform),
    account: account.externalId,
    status: account.status,
    last_synced_at: account.lastSyncedAt?.toISOString() ?? null,
    late: isStale(account, now),
    token_expires_at: account.tokenExpiresAt?.toISOString() ?? null,
    runs: account.runs,
    failed: account.failed,
    missing_days: account.missingDays,
    last_run: run ?? null,
  };
}

const time = z.date().transform((at) => at.toISOString());
const runSchema = syncRun.extend({
  account_id: z.coerce.number(),
  started_at: time,
  finished_at: time.nullable(),
});

/** The newest sync of each account. */
async function lastSyncs(client: PoolClient): Promise<Map<number, SyncRun>> {
  const { rows } = await client.query(
    `SELECT run.account_id, run.outcome, run.started_at, run.finished_at, run.window_since::text, run.window_until::text, run.metric_rows_read,
       run.metric_rows_written, run.error_message, run.task_id
     FROM platform_account a CROSS JOIN LATERAL (
       SELECT * FROM sync_run r WHERE r.tenant_id = a.tenant_id AND r.account_id = a.id ORDER BY r.started_at DESC LIMIT 1) AS run`,
  );
  return new Map(
    rows.map((row) => {
      const { account_id: account, ...run } = runSchema.parse(row);
      return [account, run];
    }),
  );
}

const alertSchema = pipelineAlert.extend({ opened_at: time });

async function openAlerts(client: PoolClient): Promise<PipelineAlert[]> {
  const { rows } = await client.query(
    `SELECT kind, severity, title, message, opened_at FROM alert WHERE closed_at IS NULL
     ORDER BY array_position(ARRAY['critical', 'warning'], severity) NULLS LAST, opened_at DESC LIMIT $1`,
    [MAX_ALERTS],
  );
  return rows.map((row) => alertSchema.parse(row));
}

async function lastCheck(
  client: PoolClient,
): Promise<{ name: string | undefined; checked: TenantPipeline['checked'] }> {
  const { rows } = await client.query<{
    name: string;
    status: PipelineStatus | null;
    checked_at: Date | null;
  }>(
    `SELECT t.name, c.status, c.checked_at FROM pipeline_overview(current_tenant()::text, 1) AS t
     LEFT JOIN LATERAL (SELECT status, checked_at FROM pipeline_check ORDER BY checked_at DESC LIMIT 1) AS c ON true`,
  );
  const [row] = rows;
  const checked =
    row?.status === null || row?.checked_at === null || row === undefined
      ? null
      : { at: row.checked_at.toISOString(), status: row.status };
  return { name: row?.name, checked };
}

const jobSchema = z.object({
  task: z.number(),
  last_success: z.date().nullable(),
  last_end: z.date().nullable(),
  last_state: stateOfCode,
  failed: z.coerce.number(),
  ended: z.coerce.number(),
});
type JobFacts = z.output<typeof jobSchema>;

async function readJobs(client: PoolClient, tenantId: number, now: Date): Promise<JobFacts[]> {
  const { rows } = await client.query('SELECT * FROM tenant_jobs($1, $2)', [
    tenantId,
    new Date(now.getTime() - JOB_DAYS * DAY_MS),
  ]);
  return rows.map((row) => jobSchema.parse(row));
}

function jobsOf(
  facts: readonly JobFacts[],
  names: Names,
  entries: Awaited<ReturnType<Schedules['list']>>,
  hasAccounts: boolean,
  now: Date,
): JobRow[] {
  const byTask = new Map(facts.map((each) => [names.taskName(each.task).name, each]));
  return PIPELINE_JOBS.map(({ data, schedule, task }): JobRow => {
    const found = byTask.get(task.name);
    const entry = entries.find(({ name }) => name === schedule.name);
    return {
      data,
      task: task.name,
      schedule: schedule.name,
      cron: entry?.cron ?? schedule.cron,
      last_success: found?.last_success?.toISOString() ?? null,
      last_end: found?.last_end?.toISOString() ?? null,
      last_state: found?.last_state ?? null,
      failed: found?.failed ?? 0,
      ended: found?.ended ?? 0,
      late:
        // Where nothing was ever run for the tenant there is nothing to be fresh.
        (found !== undefined || (hasAccounts && schedule.name === PIPELINE_JOBS[0]?.schedule.name)) &&
        isLate(entry ?? schedule, found?.last_success ?? null, now),
      next: entry?.next ?? null,
    };
  });
}

/** Whether nothing has succeeded since the last tick that is past its grace. */
function isLate(
  { name, cron, time_zone: zone = 'UTC' }: { name: string; cron?: string | undefined; time_zone?: string },
  lastSuccess: Date | null,
  now: Date,
): boolean {
  if (cron === undefined) return false;
  const cadence = cadenceOf({ name, cron, time_zone: zone });
  const until = now.getTime() - GRACE_MS;
  let due = cadence.next(until - LONGEST_MS);
  for (let next = due; next <= until; next = cadence.next(next)) due = next;
  return due <= until && (lastSuccess === null || lastSuccess.getTime() < due);
}
