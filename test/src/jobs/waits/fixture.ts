/** A task whose handler a test writes as steps, and the broker that remembers them. */
import {
  defineEvent,
  defineTask,
  handleTask,
  type TaskContext,
  type TaskHandler,
  type TaskRecord,
} from '@stratum/jobs';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import type { Jobs } from '../fixture.js';

export const journey = defineTask({
  name: 'journey',
  queue: 'work',
  input: z.object({ tenant_id: z.int().optional() }),
  output: z.unknown(),
  retry: { maxRetries: 2, backoff: { kind: 'fixed', delayMs: 5 } },
});

export const approval = defineEvent({ name: 'approval', payload: z.object({ by: z.string() }) });

export const handle = (run: (context: TaskContext) => Promise<unknown>): TaskHandler =>
  handleTask(journey, (_, context) => run(context));

/** The record of a run that waits. */
export const waiting = (jobs: Jobs, id: string): Promise<TaskRecord> =>
  waitFor('the run to wait', async () => {
    const record = await jobs.client.status(id);
    return record?.waits_for === undefined ? undefined : record;
  });
