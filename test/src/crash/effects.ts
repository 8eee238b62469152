/** What tasks of a run leave in the database, for the judgement. */
import { openDatabase } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import type { Pool } from 'pg';

const TABLES = `
  -- No unique constraint: a second effect must show.
  CREATE TABLE crash_effect (task_id text NOT NULL, entry text, tick timestamptz, version integer NOT NULL);
  CREATE TABLE crash_start (task text NOT NULL, task_id text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE INDEX ON crash_start (task_id);
  CREATE TABLE crash_key (task_id text PRIMARY KEY, key text NOT NULL, is_held boolean NOT NULL);
  CREATE TABLE crash_overlap (key text NOT NULL, holder text NOT NULL, other text NOT NULL);
  -- Notes that a task has its unique key from now on, and which other task had it. A worker that was frozen may begin a task that has ended.
  CREATE FUNCTION crash_take(own text, wanted text) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(wanted));
    IF EXISTS (SELECT 1 FROM crash_effect WHERE task_id = own) THEN RETURN; END IF;
    INSERT INTO crash_overlap SELECT key, task_id, own FROM crash_key WHERE key = wanted AND is_held AND task_id <> own;
    INSERT INTO crash_key VALUES (own, wanted, true) ON CONFLICT (task_id) DO UPDATE SET is_held = true;
  END $$;
`;

export interface Effects {
  /** Number of effects of a task. */
  of(id: string): number;
  /** Of schedule entries: `tick` in milliseconds since 1970. */
  readonly ticks: readonly { id: string; entry: string; tick: number; version: number }[];
  /** Two tasks that had one unique key at once. */
  readonly overlaps: readonly { key: string; holder: string; other: string }[];
}

export async function prepareDatabase(url: string): Promise<Pool> {
  await migrate({ databaseUrl: url });
  const pool = openDatabase({ url, name: 'crash' });
  await pool.query(
    `INSERT INTO tenant (id, name, currency) VALUES (1, 'Crash', 'USD') ON CONFLICT DO NOTHING`,
  );
  await pool.query(TABLES);
  return pool;
}

export async function readEffects(pool: Pool): Promise<Effects> {
  const { rows } = await pool.query<{
    task_id: string;
    entry: string | null;
    tick: Date | null;
    version: number;
  }>('SELECT task_id, entry, tick, version FROM crash_effect');
  const { rows: overlaps } = await pool.query<{ key: string; holder: string; other: string }>(
    'SELECT key, holder, other FROM crash_overlap',
  );
  const counts = new Map<string, number>();
  for (const { task_id: id } of rows) counts.set(id, (counts.get(id) ?? 0) + 1);
  return {
    overlaps,
    of: (id) => counts.get(id) ?? 0,
    ticks: rows.flatMap(({ task_id: id, entry, tick, version }) =>
      entry === null || tick === null ? [] : [{ id, entry, tick: tick.getTime(), version }],
    ),
  };
}
