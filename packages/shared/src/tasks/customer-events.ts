/** Contract of the ingestion of customer events that come from within the platform. */
import { defineTask } from '@stratum/jobs';
import { z } from 'zod';

const id = z.string().min(1).max(200);

/** An event in Segment's format. One of `userId` and `anonymousId` says who it is about. */
export const customerEventSchema = z
  .looseObject({
    type: z.enum(['identify', 'track', 'page', 'screen', 'group', 'alias']),
    /** Events of the same id are the same event. */
    messageId: id,
    timestamp: z.iso.datetime({ offset: true }),
    userId: id.optional(),
    anonymousId: id.optional(),
    /** The name of what happened, of `track`. */
    event: z.string().min(1).max(200).optional(),
    properties: z.record(z.string(), z.unknown()).optional(),
    traits: z.record(z.string(), z.unknown()).optional(),
    context: z.looseObject({ traits: z.record(z.string(), z.unknown()).optional() }).optional(),
  })
  .refine(({ userId, anonymousId }) => userId !== undefined || anonymousId !== undefined, {
    path: ['userId'],
    message: 'userId or anonymousId is needed',
  });
export type CustomerEvent = z.output<typeof customerEventSchema>;

export const ingestCustomerEvents = defineTask({
  name: 'ingest_customer_events',
  queue: 'cdp',
  description: "Writes events into customers' profiles, each once.",
  input: z.object({ tenant_id: z.int().positive(), events: z.array(customerEventSchema).min(1).max(1_000) }),
  output: z.object({ stored: z.int(), repeated: z.int() }),
  retry: { maxRetries: 10, backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 300_000 } },
});
