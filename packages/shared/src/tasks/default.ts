/** Contracts of the default queue. */
import { defineTask, type TaskContract } from '@stratum/jobs';
import { dateSchema, instantSchema } from '@stratum/jobs/internal';
import { WhatsAppAwayError } from '@stratum/connectors/whatsapp';
import { z } from 'zod';
import { fanOutJob, scheduled } from './scheduled-job.js';

const tenantId = z.int().positive();
const date = dateSchema;

const perTenant = { retry: { backoff: { kind: 'exponential', initialMs: 5_000, maxMs: 300_000 } } } as const;

export const calculateFatigueScores = fanOutJob({
  name: 'calculate_fatigue_scores',
  queue: 'default',
  cron: '0 3 * * *',
  description: 'Enqueues the creative fatigue of yesterday for each tenant.',
});
export const calculateTenantFatigue = defineTask({
  name: 'calculate_tenant_fatigue',
  keepPayload: true,
  queue: 'default',
  description: "Compares each active creative's day with its own seven days before.",
  input: z.object({ tenant_id: tenantId, date }),
  output: z.object({
    tenant_id: z.int(),
    date,
    scored: z.int(),
    refresh: z.int(),
    watch: z.int(),
    not_enough_data: z.int(),
  }),
  ...perTenant,
});

export const calculateDailyScores = fanOutJob({
  name: 'calculate_daily_scores',
  queue: 'default',
  cron: '0 4 * * *',
  description: 'Enqueues the scores of yesterday for each tenant.',
});
export const calculateTenantScores = defineTask({
  name: 'calculate_tenant_scores',
  keepPayload: true,
  queue: 'default',
  description: 'Recommends for each campaign whether to scale, watch or fix it, with the reasons.',
  input: z.object({ tenant_id: tenantId, date }),
  output: z.object({
    tenant_id: z.int(),
    date,
    scored: z.int(),
    scale: z.int(),
    watch: z.int(),
    fix: z.int(),
    not_enough_data: z.int(),
  }),
  ...perTenant,
});

export const calculateCostAllocation = fanOutJob({
  name: 'calculate_cost_allocation',
  queue: 'default',
  cron: '0 2 * * *',
  description: "Enqueues the allocation of yesterday's costs for each tenant.",
});
export const allocateTenantCosts = defineTask({
  name: 'allocate_tenant_costs',
  keepPayload: true,
  queue: 'default',
  description:
    "Spreads a day's spend and shared costs over platforms, campaigns, labels and cost centres, to the cent.",
  input: z.object({ tenant_id: tenantId, date }),
  output: z.object({ tenant_id: z.int(), date, rows: z.int(), totals: z.record(z.string(), z.string()) }),
  ...perTenant,
});

const queueUse = z.object({ runs: z.int(), failures: z.int(), seconds: z.number() });
export const calculateUsageRollup = fanOutJob({
  name: 'calculate_usage_rollup',
  queue: 'default',
  cron: '0 1 * * *',
  description: "Enqueues the roll-up of yesterday's usage for each tenant.",
});
export const rollUpTenantUsage = defineTask({
  name: 'roll_up_tenant_usage',
  keepPayload: true,
  queue: 'default',
  description: 'Sums up the usage of a tenant on a day.',
  input: z.object({ tenant_id: tenantId, date, task_runs: z.record(z.string(), queueUse).default({}) }),
  output: z.object({ tenant_id: z.int(), date, active_campaigns: z.int(), synced_rows: z.int() }),
  ...perTenant,
});

const queueState = z.object({ queue: z.string(), waiting: z.int(), oldest_seconds: z.number() });
export const checkPipelineHealth = fanOutJob({
  name: 'check_pipeline_health',
  queue: 'default',
  cron: '30 * * * *',
  description: "Enqueues a check of each tenant's data pipeline.",
});
export const checkTenantPipeline = defineTask({
  name: 'check_tenant_pipeline',
  keepPayload: true,
  queue: 'default',
  description: 'Checks freshness, success, gaps, tokens, queues and dead letters; reports each change once.',
  input: z.object({
    tenant_id: tenantId,
    checked_at: instantSchema,
    queues: z.array(queueState).default([]),
    dead_letters: z.int().default(0),
  }),
  output: z.object({
    tenant_id: z.int(),
    status: z.enum(['healthy', 'degraded', 'critical']),
    findings: z.array(z.string()),
    /** Jobs that have nothing to read for the tenant, and why. They are no fault. */
    idle_jobs: z.array(z.object({ job: z.string(), reason: z.string() })).default([]),
  }),
  ...perTenant,
});

export const processAuditLogs = scheduled(
  '* * * * *',
  defineTask({
    name: 'process_audit_logs',
    keepPayload: true,
    queue: 'default',
    description: 'Writes the audit events that have arrived into the database.',
    input: z.object({}),
    output: z.object({ written: z.int(), repeated: z.int(), refused: z.int() }),
    retry: { backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 30_000 } },
    limits: { softTimeLimitMs: 45_000, timeLimitMs: 55_000 },
  }),
);

export const processScheduledWhatsapp = fanOutJob({
  name: 'process_scheduled_whatsapp',
  queue: 'default',
  cron: '* * * * *',
  description: 'Claims the WhatsApp messages that are due, and enqueues the sending of each.',
});
export const sendWhatsappMessage = defineTask({
  name: 'send_whatsapp_message',
  keepPayload: true,
  queue: 'default',
  description: 'Sends one message, once, if it may be sent at this moment.',
  input: z.object({ tenant_id: tenantId, message_id: z.int().positive() }),
  output: z.object({ message_id: z.int(), state: z.string(), provider_id: z.string().nullable() }),
  // One for all tenants, who share the provider. A number or a token at fault is one tenant's, and pauses its account. A message of unknown end
  // has ended: to count it, its task would have to fail.
  breaker: {
    service: 'whatsapp',
    failures: 5,
    windowMs: 60_000,
    pauseMs: 30_000,
    longestPauseMs: 900_000,
    isFailure: (error) => error instanceof WhatsAppAwayError,
  },
  retry: { maxRetries: 5, backoff: { kind: 'exponential', initialMs: 5_000, maxMs: 300_000 } },
  limits: { softTimeLimitMs: 50_000, timeLimitMs: 60_000 },
});

export const publishScheduledCmsPosts = fanOutJob({
  name: 'publish_scheduled_cms_posts',
  queue: 'default',
  cron: '* * * * *',
  description: 'Enqueues the publishing and unpublishing of posts that are due.',
});
export const publishCmsPost = defineTask({
  name: 'publish_cms_post',
  keepPayload: true,
  queue: 'default',
  description: 'Publishes or unpublishes one post, here and on the connected site.',
  input: z.object({
    tenant_id: tenantId,
    post_id: z.int().positive(),
    action: z.enum(['publish', 'unpublish']),
  }),
  output: z.object({
    post_id: z.int(),
    status: z.string(),
    slug: z.string(),
    url: z.string().nullable(),
    /** Why the site did not take it; it is tried again later. */
    error: z.string().nullable(),
  }),
  retry: { maxRetries: 5, backoff: { kind: 'exponential', initialMs: 5_000, maxMs: 300_000 } },
  limits: { softTimeLimitMs: 50_000, timeLimitMs: 60_000 },
});

export const deliverWebhook = defineTask({
  name: 'deliver_webhook',
  keepPayload: true,
  queue: 'default',
  description:
    'Sends one event to the receiver of one subscription, and retries until the receiver accepts it.',
  input: z.object({
    tenant_id: tenantId,
    subscription_id: z.string().regex(/^[a-z0-9]{16}$/),
    event_id: z.int().positive(),
  }),
  output: z.object({
    /** `waiting`: no place is free, or another task has the message; a delivery that ends makes the next task. */
    outcome: z.enum(['delivered', 'failed', 'skipped', 'waiting', 'over']),
    attempt: z.int().nullable(),
    status_code: z.int().nullable(),
  }),
  // The platform's own work comes first.
  priority: 'low',
  // Of our own troubles; a receiver that does not take an event is asked again as its message says.
  retry: { maxRetries: 20, backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 300_000 } },
  limits: { softTimeLimitMs: 40_000, timeLimitMs: 50_000 },
  resultExpiresMs: 3_600_000,
});

export const DEFAULT_TASKS: readonly TaskContract[] = [
  calculateFatigueScores,
  calculateTenantFatigue,
  calculateDailyScores,
  calculateTenantScores,
  calculateCostAllocation,
  allocateTenantCosts,
  calculateUsageRollup,
  rollUpTenantUsage,
  checkPipelineHealth,
  checkTenantPipeline,
  processAuditLogs,
  processScheduledWhatsapp,
  sendWhatsappMessage,
  publishScheduledCmsPosts,
  publishCmsPost,
  deliverWebhook,
];
