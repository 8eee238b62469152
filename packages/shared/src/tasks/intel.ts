/** Contracts of the intel queue. */
import { defineTask, type TaskContract } from '@stratum/jobs';
import { z } from 'zod';
import { fanOutJob } from './scheduled-job.js';

const id = z.int().positive();

export const fetchCompetitorData = defineTask({
  name: 'fetch_competitor_data',
  keepPayload: true,
  queue: 'intel',
  description: "Fetches a competitor's site and ads, and records the changes since the last snapshot.",
  input: z.object({ tenant_id: id, competitor_id: id }),
  output: z.object({
    competitor_id: z.int(),
    taken_at: z.iso.datetime(),
    /** `null` where the source did not answer. */
    active_ads: z.int().nullable(),
    new_ads: z.int().nullable(),
    stopped_ads: z.int().nullable(),
    changes: z.array(z.string()),
  }),
  // A competitor's site sees one reader at a time.
  keyLimits: [{ name: 'competitor', key: ['tenant', 'payload.competitor_id'], concurrency: 1 }],
  retry: { maxRetries: 3, backoff: { kind: 'exponential', initialMs: 30_000, maxMs: 600_000 } },
  limits: { softTimeLimitMs: 110_000, timeLimitMs: 120_000 },
});

export const refreshAllCompetitors = fanOutJob({
  name: 'refresh_all_competitors',
  queue: 'intel',
  cron: '0 */6 * * *',
  description: 'Enqueues a snapshot of each competitor.',
});

export const INTEL_TASKS: readonly TaskContract[] = [fetchCompetitorData, refreshAllCompetitors];
