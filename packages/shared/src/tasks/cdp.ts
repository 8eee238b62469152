/** Contracts of the cdp queue. */
import { defineTask, type TaskContract } from '@stratum/jobs';
import { z } from 'zod';
import { segmentTreeSchema } from '../customer-data/segment-tree.js';
import { fanOutJob } from './scheduled-job.js';

const id = z.int().positive();
const work = { retry: { backoff: { kind: 'exponential', initialMs: 10_000, maxMs: 300_000 } } } as const;

export const computeCdpSegment = defineTask({
  name: 'compute_cdp_segment',
  keepPayload: true,
  queue: 'cdp',
  description: 'Computes the members of a segment, and records who entered and who left.',
  input: z.object({
    segment_id: id,
    /** The round of the hourly job: when the segment is done, those that wait for it follow. */
    slot: z.string().max(64).optional(),
    tenant_id: id.optional(),
  }),
  output: z.object({ segment_id: z.int(), profile_count: z.int(), entered: z.int(), exited: z.int() }),
  ...work,
});

export const previewCdpSegment = defineTask({
  name: 'preview_cdp_segment',
  queue: 'cdp',
  description:
    'Counts how many profiles a segment would hold, and how many values it could not read; writes nothing.',
  input: z.object({ tenant_id: id, definition: segmentTreeSchema }),
  output: z.object({
    /** Profiles that the segment would hold. */
    profile_count: z.int(),
    /** Of so many. */
    all_profiles: z.int(),
    /** Values of traits and events that are there and compare with nothing, because they are no number or no time. */
    unreadable: z.array(z.object({ field: z.string(), as: z.enum(['number', 'time']), values: z.int() })),
  }),
  retry: { maxRetries: 1, backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 1_000 } },
});

export const computeAllCdpSegments = fanOutJob({
  name: 'compute_all_cdp_segments',
  queue: 'cdp',
  cron: '0 * * * *',
  description:
    'Enqueues every segment that depends on no other, and the RFM scores of each tenant; the others follow those they depend on.',
});

export const computeCdpRfm = defineTask({
  name: 'compute_cdp_rfm',
  keepPayload: true,
  queue: 'cdp',
  description:
    "Puts a tenant's buyers into quintiles of recency, frequency and money, then starts the segments of the round.",
  input: z.object({ tenant_id: id, slot: z.string().max(64).optional() }),
  output: z.object({ tenant_id: z.int(), scored: z.int(), changed: z.int(), enqueued: z.int() }),
  ...work,
});

export const computeCdpFunnel = defineTask({
  name: 'compute_cdp_funnel',
  keepPayload: true,
  queue: 'cdp',
  description: 'Counts how far profiles came on the steps of a funnel, in order and within its window.',
  input: z.object({ funnel_id: id, tenant_id: id.optional() }),
  output: z.object({ funnel_id: z.int(), entered: z.int(), completed: z.int() }),
  ...work,
});

export const computeAllCdpFunnels = fanOutJob({
  name: 'compute_all_cdp_funnels',
  queue: 'cdp',
  cron: '0 */2 * * *',
  description: 'Enqueues every funnel.',
});

export const CDP_TASKS: readonly TaskContract[] = [
  computeCdpSegment,
  previewCdpSegment,
  computeAllCdpSegments,
  computeCdpRfm,
  computeCdpFunnel,
  computeAllCdpFunnels,
];
