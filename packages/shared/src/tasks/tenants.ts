/** The erasure of a tenant is the platform's own work: a deleted tenant does none. */
import { defineTask } from '@stratum/jobs';
import { z } from 'zod';

export const eraseTenant = defineTask({
  name: 'erase_tenant',
  queue: 'default',
  description: 'Removes everything of a deleted tenant, once its grace time is over.',
  input: z.object({ tenant: z.int().positive() }),
  output: z.object({
    tenant: z.int(),
    /** Of the database. */
    rows: z.int(),
    /** Of the broker: tasks, dead letters, records, events, workflows, schedule entries. */
    messages: z.int(),
  }),
  // A run goes on where the last one was cut short.
  retry: { maxRetries: 20, backoff: { kind: 'exponential', initialMs: 10_000, maxMs: 300_000 } },
});
