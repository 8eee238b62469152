/** Daily jobs look at the last day that is over in all of a tenant's ad accounts: a figure of half a day compares with nothing. */
import type { HandlerFor, TaskContract } from '@stratum/jobs';
import { fanOut, lastCompleteDays, tickTime } from '@stratum/shared';
import { addDays } from '@stratum/connectors/values';
import type { Pool } from 'pg';
import type { z } from 'zod';

type DayTask = TaskContract<z.ZodType<unknown, { tenant_id: number; date: string }>>;

/**
 * The handler of a job that enqueues one task for each tenant, about its last complete day.
 * @param daysAgain the number of earlier days that are computed again, because platforms restate them
 */
export function lastCompleteDayOfEachTenant(
  { pool }: { pool: Pool },
  contract: DayTask,
  { daysAgain = 0 }: { daysAgain?: number } = {},
): HandlerFor<TaskContract<z.ZodType<object>, z.ZodType<{ enqueued: number }, { enqueued: number }>>> {
  return async (_payload, context) => {
    const days = await lastCompleteDays(pool, tickTime(context));
    const items = days.flatMap(({ tenantId, date: last }) =>
      Array.from({ length: daysAgain + 1 }, (_, index) => {
        const date = addDays(last, -index);
        return {
          scope: index === 0 ? tenantId : `${tenantId}-${date}`,
          payload: { tenant_id: tenantId, date },
        };
      }),
    );
    return { enqueued: await fanOut(context, contract, items) };
  };
}
