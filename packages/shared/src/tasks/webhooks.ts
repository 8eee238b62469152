/** Contracts of what follows a webhook. */
import { defineTask, type TaskContract } from '@stratum/jobs';
import { instantSchema } from '@stratum/jobs/internal';
import { z } from 'zod';

const tenantId = z.int().positive();

/** One event of a verified request. */
export const carriedEventSchema = z.object({
  key: z.string().min(1).max(300),
  identity: z.string().min(1).max(300),
  type: z.string(),
  body: z.string(),
});
export const carriedEventsSchema = z.array(carriedEventSchema).min(1);

const outcome = z.object({
  processed: z.int(),
  ignored: z.int(),
  /** Events that had come before. */
  repeated: z.int(),
  failed: z.int(),
});

/** Of low priority, so that a burst of one sender does not hold up what is scheduled; nobody waits for its result. */
export const processWebhook = defineTask({
  name: 'process_webhook',
  queue: 'default',
  description: 'Records the events of a verified webhook request, each once, and applies their effects.',
  input: z.object({
    tenant_id: tenantId,
    endpoint_id: z.string(),
    received_at: instantSchema,
    headers: z.record(z.string(), z.string()),
    events: z.union([
      carriedEventsSchema,
      z.string().describe('The same as JSON, compressed with gzip, in base64.'),
    ]),
  }),
  output: outcome,
  // Customers' data, and what a sender proves itself with.
  sensitive: ['events', 'headers'],
  priority: 'low',
  ignoreResult: true,
  // The sender believes that we have it: a database that is away for an hour must not lose it.
  retry: { maxRetries: 24, backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 300_000 } },
  limits: { softTimeLimitMs: 110_000, timeLimitMs: 120_000 },
});

export const replayWebhookDelivery = defineTask({
  name: 'replay_webhook_delivery',
  keepPayload: true,
  queue: 'default',
  description: 'Applies the effects of a received event again.',
  input: z.object({ tenant_id: tenantId, delivery_id: z.int().positive() }),
  output: z.object({ delivery_id: z.int(), state: z.string(), effect: z.string().nullable() }),
  retry: { maxRetries: 5, backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 60_000 } },
  limits: { softTimeLimitMs: 50_000, timeLimitMs: 60_000 },
});

export const WEBHOOK_TASKS: readonly TaskContract[] = [processWebhook, replayWebhookDelivery];
