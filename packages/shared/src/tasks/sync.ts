/** Contracts of the sync queue. */
import { defineTask, type TaskContract } from '@stratum/jobs';
import { dateSchema } from '@stratum/jobs/internal';
import { z } from 'zod';
import { PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';
import { adPlatformBreaker } from './ad-platform-breaker.js';
import { fanOutJob } from './scheduled-job.js';

const date = dateSchema;

export const syncCampaignData = defineTask({
  name: 'sync_campaign_data',
  keepPayload: true,
  queue: 'sync',
  description: "Pulls a tenant's campaigns and daily metrics from one ad platform.",
  input: z.object({ tenant_id: z.int().positive(), platform: z.enum(PLATFORM_NAMES) }),
  output: z.object({
    tenant_id: z.int(),
    platform: z.enum(PLATFORM_NAMES),
    accounts: z.int(),
    campaigns_read: z.int(),
    /** Campaigns that are new or changed. */
    campaigns_updated: z.int(),
    /** Campaigns that the platform lists no more. */
    campaigns_removed: z.int(),
    metric_rows_read: z.int(),
    /** Rows of daily metrics that are new or changed. */
    metric_rows_written: z.int(),
    /** The days that were asked for; `null` when an earlier attempt has synced every account. */
    window: z.object({ since: date, until: date }).nullable(),
  }),
  // Two syncs of one tenant and platform would read the same accounts twice, out of the same quota.
  keyLimits: [{ name: 'platform', key: ['tenant', 'payload.platform'], concurrency: 1 }],
  breaker: { ...adPlatformBreaker, key: 'payload.platform' },
  retry: { maxRetries: 5, backoff: { kind: 'exponential', initialMs: 10_000, maxMs: 600_000 } },
});

export const syncAllCampaigns = fanOutJob({
  name: 'sync_all_campaigns',
  queue: 'sync',
  cron: '0 * * * *',
  description: 'Enqueues one sync for each tenant and connected platform.',
});

export const SYNC_TASKS: readonly TaskContract[] = [syncCampaignData, syncAllCampaigns];
