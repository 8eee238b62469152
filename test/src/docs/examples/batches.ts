/** The TypeScript of the guide on batches; tests run it. */
import { defineTask, handleBatch, TaskError, type TaskHandler } from '@stratum/jobs';
import type { Pool } from 'pg';
import { z } from 'zod';

export const storeClick = defineTask({
  name: 'store_click',
  queue: 'work',
  input: z.object({ tenant_id: z.int(), url: z.string(), at: z.iso.datetime() }),
  output: z.object({ id: z.int() }),
});

export const storeClickHandler = (pool: Pool): TaskHandler =>
  handleBatch(
    storeClick,
    async (tasks) => {
      const clicks = tasks.filter((task) => {
        const isUsable = URL.canParse(task.payload.url);
        if (!isUsable) task.fail(new TaskError('The address cannot be read.', { retryable: false }));
        return isUsable;
      });
      const { rows } = await pool.query<{ id: number }>(
        'insert into clicks (url, at) select * from unnest($1::text[], $2::timestamptz[]) returning id',
        [clicks.map(({ payload }) => payload.url), clicks.map(({ payload }) => payload.at)],
      );
      for (const [n, task] of clicks.entries()) task.succeed({ id: rows[n]?.id ?? 0 });
    },
    { maxSize: 500, maxWaitMs: 200 },
  );
