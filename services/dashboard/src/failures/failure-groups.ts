/** Failed runs by cause: those of one fingerprint are one group. */
import { z } from 'zod';
import type { Pool } from 'pg';
import type { Names } from '../history/names.js';
import type { Scope } from '../search/search-runs.js';

const MAX_GROUPS = 200;

const count = z.coerce.number();
const time = z.date().transform((at) => at.toISOString());
const groupRow = z.object({
  error_group: z.string(),
  task: z.number(),
  failures: count,
  /** How many tenants it has hit. */
  tenants: count,
  first_at: time,
  last_at: time,
  /** Of the latest run. */
  error_type: z.string().nullable(),
  error_message: z.string().nullable(),
  worker: z.number().nullable(),
  /** Failures of each hour, the oldest first. */
  hours: z.array(z.number()),
});

/** Runs that failed for the same reason. */
export interface FailureGroup extends Omit<z.output<typeof groupRow>, 'error_group' | 'task' | 'worker'> {
  group: string;
  task: string;
  queue: string;
  worker: string | null;
}

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
