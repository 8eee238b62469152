/** Daily jobs look at the day before their tick: the last one that is complete. */
import type { HandlerFor, TaskContext, TaskContract } from '@stratum/jobs';
import { activeTenants, fanOut, tickTime } from '@stratum/shared';
import type { Pool } from 'pg';
import type { z } from 'zod';

const DAY_MS = 86_400_000;

/** YYYY-MM-DD, in UTC. */
export function dayBefore(context: Pick<TaskContext, 'scheduledBy'>): string {
  return new Date(tickTime(context).getTime() - DAY_MS).toISOString().slice(0, 10);
}

type DayTask = TaskContract<z.ZodType<unknown, { tenant_id: number; date: string }>>;

/** The handler of a job that enqueues one task for each tenant, about yesterday. */
export function yesterdayOfEachTenant(
  { pool }: { pool: Pool },
  contract: DayTask,
): HandlerFor<TaskContract<z.ZodType<object>, z.ZodType<{ enqueued: number }, { enqueued: number }>>> {
  return async (_payload, context) => {
    const date = dayBefore(context);
    const tenants = await activeTenants(pool);
    const items = tenants.map((tenantId) => ({ scope: tenantId, payload: { tenant_id: tenantId, date } }));
    return { enqueued: await fanOut(context, contract, items) };
  };
}
