/** Tasks that the platform's schedule starts: name, queue and time are declared together. */
import { defineTask, type TaskContract } from '@stratum/jobs';
import { z } from 'zod';

/** When the schedule enqueues a task: a cron expression in UTC. */
export interface Scheduled {
  readonly cron: string;
}

/** Puts a task on the schedule. */
export function scheduled<Contract extends TaskContract>(
  cron: string,
  contract: Contract,
): Contract & Scheduled {
  return Object.freeze({ ...contract, cron });
}

export function isScheduled(contract: TaskContract): contract is TaskContract & Scheduled {
  return 'cron' in contract;
}

const empty = z.object({});
const fannedOut = z.object({ enqueued: z.int() });

/** A scheduled job that only enqueues other tasks, such as one per tenant. */
export function fanOutJob(options: {
  name: string;
  queue: string;
  cron: string;
  description: string;
}): TaskContract<typeof empty, typeof fannedOut> & Scheduled {
  const { name, queue, cron, description } = options;
  return scheduled(
    cron,
    defineTask({
      name,
      keepPayload: true,
      queue,
      description,
      input: empty,
      output: fannedOut,
      retry: { backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 60_000 } },
      limits: { softTimeLimitMs: 50_000, timeLimitMs: 60_000 },
    }),
  );
}
