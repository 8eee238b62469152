/** The partition of a month, made by whoever needs it first. */
import { transaction } from '@stratum/shared';
import { expect, test } from 'vitest';
import { testDatabase } from '../harness/index.js';

test('of sessions that make a month at once, all go on', async () => {
  const { syncWorker } = await testDatabase();
  const make = (month: string): Promise<unknown> =>
    transaction(syncWorker, async (client) => {
      // Fills the cache of names before the wait.
      await client.query(
        "SELECT to_regclass('public.campaign_metric_daily_' || to_char($1::date, 'YYYY_MM'))",
        [month],
      );
      await client.query('SELECT ensure_metric_partition($1)', [month]);
    });
  for (const month of ['2031-01-01', '2031-02-01', '2031-03-01'])
    await Promise.all(Array.from({ length: 8 }, () => make(month)));
  const { rows } = await syncWorker.query(
    "SELECT relname FROM pg_class WHERE relname ~ '^campaign_metric_daily_2031_\\d\\d$' ORDER BY 1",
  );
  expect(rows).toHaveLength(3);
});
