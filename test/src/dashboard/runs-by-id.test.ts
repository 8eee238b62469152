/** How the projector finds what is stored of the runs in a batch: by their ids, however many runs the day has. */
import { expect, test } from 'vitest';
import { testDatabase } from '../harness/index.js';

const RUNS = 5_000;
const ASKED = 100;

test('stored runs are looked up by id, and no day is read as a whole', async () => {
  const { owner } = await testDatabase();
  // One session: the server adds up its figures when it ends, or is asked to.
  const client = await owner.connect();
  try {
    await client.query('SELECT ensure_history_day(current_date)');
    await client.query("INSERT INTO task_name (queue, name) VALUES ('default', 'any')");
    await client.query(
      `INSERT INTO task_run (finished_at, enqueued_at, tenant_id, task, priority, state, retries, attempts_made, id)
       SELECT at, at, 1, 1, 2, 1, 0, 1, 'run-' || i
       FROM generate_series(1, $1) AS i CROSS JOIN LATERAL (SELECT date_trunc('day', now(), 'UTC') + i * interval '1 ms' AS at) s`,
      [RUNS],
    );
    const scans = async (): Promise<Map<string, number>> => {
      await client.query('SELECT pg_stat_force_next_flush()');
      const { rows } = await client.query<{ kind: string; scans: string }>(
        `SELECT CASE WHEN indexrelname LIKE '%\\_id\\_idx' THEN 'by id' ELSE 'else' END AS kind, sum(idx_scan) AS scans
         FROM pg_stat_user_indexes WHERE relname = 'task_run_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD') GROUP BY 1
         UNION ALL SELECT 'whole', seq_scan FROM pg_stat_user_tables WHERE relname = 'task_run_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')`,
      );
      return new Map(rows.map((row) => [row.kind, Number(row.scans)]));
    };
    const before = await scans();
    const { rows } = await client.query<{ ended_run: { id: string } }>(
      `SELECT ended_run FROM history_runs(
         (SELECT array_agg('run-' || i) FROM generate_series(1, $1) AS i),
         (SELECT array_agg(date_trunc('day', now(), 'UTC') + i * interval '1 ms') FROM generate_series(1, $1) AS i),
         date_trunc('day', now(), 'UTC') - interval '1 hour')`,
      [ASKED],
    );
    expect(rows.map(({ ended_run: run }) => run.id).toSorted()).toEqual(
      Array.from({ length: ASKED }, (_each, index) => `run-${index + 1}`).toSorted(),
    );
    const after = await scans();
    const more = (kind: string): number => (after.get(kind) ?? 0) - (before.get(kind) ?? 0);
    expect({ byId: more('by id'), else: more('else'), whole: more('whole') }).toEqual({
      byId: ASKED,
      else: 0,
      whole: 0,
    });
  } finally {
    client.release();
  }
});
