/** What the page of one tenant's data shows. */
import { stateSchema } from '@stratum/shared/task-history';
import { z } from 'zod';
import { pipelineFindings, pipelineStatus } from './overview.js';

const time = z.iso.datetime();
const count = z.int();

export const syncRun = z
  .object({
    outcome: z.string(),
    started_at: time,
    finished_at: time.nullable(),
    window_since: z.string().describe('The first day that it read.'),
    window_until: z.string(),
    metric_rows_read: count,
    metric_rows_written: count,
    error_message: z.string().nullable(),
    task_id: z.string(),
  })
  .meta({ id: 'SyncRun' });
export type SyncRun = z.output<typeof syncRun>;

const pipelineAccount = z
  .object({
    platform: z.string(),
    title: z.string().describe('Of the platform, for people.'),
    account: z.string(),
    status: z.string(),
    last_synced_at: time.nullable(),
    late: z.boolean(),
    token_expires_at: time.nullable(),
    runs: count.describe('Syncs of the last day.'),
    failed: count,
    missing_days: z.array(z.string()),
    last_run: syncRun.nullable(),
  })
  .meta({ id: 'PipelineAccount' });
export type PipelineAccount = z.output<typeof pipelineAccount>;

const jobRow = z
  .object({
    data: z.string().describe('What it keeps fresh.'),
    task: z.string(),
    schedule: z.string(),
    cron: z.string(),
    last_success: time.nullable(),
    last_end: time.nullable(),
    last_state: stateSchema.nullable(),
    failed: count.describe('Of the last day.'),
    ended: count,
    late: z
      .boolean()
      .describe('The job was scheduled since, and no run of the tenant has succeeded after it.'),
    next: z
      .string()
      .nullable()
      .describe('When the schedule starts it next; `null`: no scheduler runs, or it is paused.'),
  })
  .meta({ id: 'JobRow' });
export type JobRow = z.output<typeof jobRow>;

export const pipelineAlert = z
  .object({
    kind: z.string(),
    severity: z.enum(['info', 'warning', 'critical']),
    title: z.string(),
    message: z.string(),
    opened_at: time,
  })
  .meta({ id: 'PipelineAlert' });
export type PipelineAlert = z.output<typeof pipelineAlert>;

export const tenantPipeline = z.object({
  tenant_id: z.int(),
  name: z.string(),
  status: pipelineStatus.describe('By the accounts as they are now.'),
  findings: pipelineFindings,
  checked: z
    .object({ at: time, status: pipelineStatus })
    .nullable()
    .describe('The last check, which looks beyond the accounts, such as at waiting queues.'),
  accounts: z.array(pipelineAccount),
  jobs: z.array(jobRow),
  alerts: z.array(pipelineAlert),
  target_ms: z.int().describe('Data older than this are late.'),
  now: time,
});
export type TenantPipeline = z.output<typeof tenantPipeline>;
