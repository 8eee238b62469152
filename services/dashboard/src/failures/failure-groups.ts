/** Failed runs by cause: those of one fingerprint are one group. */
import { z } from 'zod';
import type { Pool } from 'pg';
import type { Names } from '../history/names.js';
import type { Scope } from '../search/search-runs.js';

/** Runs that failed for the same reason. */
export interface FailureGroup {
  group: string;
  task: string;
  queue: string;
  failures: number;
  /** How many tenants it has hit. */
  tenants: number;
  first_at: string;
  last_at: string;
  /** Of the latest run. */
  error_type: string | null;
  error_message: string | null;
  worker: string | null;
  /** Failures of each hour, the oldest first. */
  hours: number[];
}

const MAX_GROUPS = 200;

const count = z.coerce.number();
const time = z.date().transform((at) => at.toISOString());
const groupRow = z.object({
  error_group: z.string(),
  task: z.number(),
  failures: count,
  tenants: count,
  first_at: time,
  last_at: time,
  error_type: z.string().nullable(),
  error_message: z.string().nullable(),
  worker: z.number().nullable(),
  hours: z.array(z.number()),
});

/** The groups with failures since then, the most frequent first; at most 200. */
export async function readFailureGroups(
  pool: Pool,
  names: Names,
  { scope, since }: { scope: Scope; since: Date },
): Promise<FailureGroup[]> {
  const { rows } = await pool.query('SELECT * FROM failure_groups($1, $2, $3)', [scope, since, MAX_GROUPS]);
  await names.learn(pool, rows);
  return rows.map((row) => {
    const { error_group: group, task, worker, ...figures } = groupRow.parse(row);
    const { queue, name } = names.taskName(task);
    return {
      ...figures,
      group,
      queue,
      task: name,
      worker: worker === null ? null : names.workerName(worker),
    };
  });
}
