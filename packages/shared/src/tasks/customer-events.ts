/** Customer events that a service sends itself, for example the orders of a shop's webhook. */
import { defineTask } from '@stratum/jobs';
import { z } from 'zod';
import { customerEventSchema } from '../customer-events/event.js';

const MAX_EVENTS = 500;

export const ingestCustomerEvents = defineTask({
  name: 'ingest_customer_events',
  queue: 'cdp',
  description: "Writes customer events in Segment's format, each of them once.",
  input: z.object({
    tenant_id: z.int().positive(),
    events: z.array(customerEventSchema).min(1).max(MAX_EVENTS),
  }),
  // Customers' data.
  sensitive: ['events'],
  output: z.object({ stored: z.int(), repeated: z.int(), rejected: z.int() }),
  retry: { maxRetries: 10, backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 300_000 } },
});

export const CUSTOMER_EVENT_TASKS = [ingestCustomerEvents] as const;
