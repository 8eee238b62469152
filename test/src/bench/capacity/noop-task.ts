import { defineTask } from '@stratum/jobs';
import { z } from 'zod';

/** With a payload and a result of the size that ids have, as contracts advise. */
export const noopOfTenant = defineTask({
  name: 'noop_of_tenant',
  queue: 'default',
  input: z.object({ tenant_id: z.int(), n: z.int(), account: z.string() }),
  output: z.object({ n: z.int() }),
});
