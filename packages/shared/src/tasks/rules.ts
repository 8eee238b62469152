/** Contracts of the rules queue. */
import { defineTask, type TaskContract } from '@stratum/jobs';
import { PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';
import { z } from 'zod';
import { adPlatformBreaker } from './ad-platform-breaker.js';
import { fanOutJob } from './scheduled-job.js';

const id = z.int().positive();

export const evaluateRules = defineTask({
  name: 'evaluate_rules',
  keepPayload: true,
  queue: 'rules',
  description: 'Evaluates all active rules of a tenant against all its campaigns, and starts their actions.',
  input: z.object({ tenant_id: id }),
  output: z.object({
    tenant_id: z.int(),
    rules: z.int(),
    campaigns: z.int(),
    matched: z.int(),
    fired: z.int(),
    held: z.int(),
    conflicts: z.int(),
    actions: z.int(),
    /** Rules whose definition cannot be read. */
    invalid: z.int(),
    /** One for each active rule, in order of precedence. */
    results: z.array(
      z.object({
        rule_id: z.int(),
        /** It has started its actions on at least one campaign. */
        triggered: z.boolean(),
        /** Campaigns that its conditions hold for. */
        matched: z.int(),
        fired: z.int(),
      }),
    ),
  }),
  retry: { backoff: { kind: 'exponential', initialMs: 5_000, maxMs: 120_000 } },
});

export const evaluateAllRules = fanOutJob({
  name: 'evaluate_all_rules',
  queue: 'rules',
  cron: '*/15 * * * *',
  description: 'Enqueues the evaluation of each tenant.',
});

export const applyPlatformAction = defineTask({
  name: 'apply_platform_action',
  keepPayload: true,
  queue: 'rules',
  description: 'Requests one change of a campaign from its platform, once.',
  input: z.object({
    tenant_id: id,
    action_id: id,
    /** Of the campaign. A task of an older version names none, and is not kept from a platform that is away. */
    platform: z.enum(PLATFORM_NAMES).optional(),
  }),
  output: z.object({ action_id: z.int(), outcome: z.enum(['applied', 'already_done', 'given_up']) }),
  breaker: { ...adPlatformBreaker, key: 'payload.platform' },
  retry: { maxRetries: 6, backoff: { kind: 'exponential', initialMs: 10_000, maxMs: 600_000 } },
});

const MAX_DRY_RUN_DAYS = 28;

export const dryRunRule = defineTask({
  name: 'dry_run_rule',
  keepPayload: true,
  queue: 'rules',
  description: 'Says on which of the last days which campaigns a rule would have acted, and writes nothing.',
  input: z.object({
    tenant_id: id,
    rule_id: id,
    days: z.int().min(1).max(MAX_DRY_RUN_DAYS).default(MAX_DRY_RUN_DAYS),
  }),
  output: z.object({
    rule_id: z.int(),
    /** How often it would have acted on a campaign. */
    fired: z.int(),
    /** Only the first of them are listed. */
    truncated: z.boolean(),
    /** Each complete day, the oldest first. */
    days: z.array(
      z.object({
        date: z.string(),
        campaigns: z.array(z.object({ campaign_id: z.int(), name: z.string(), done: z.array(z.string()) })),
      }),
    ),
  }),
  retry: { backoff: { kind: 'exponential', initialMs: 5_000, maxMs: 120_000 } },
});

export const RULES_TASKS: readonly TaskContract[] = [
  evaluateRules,
  evaluateAllRules,
  applyPlatformAction,
  dryRunRule,
];
