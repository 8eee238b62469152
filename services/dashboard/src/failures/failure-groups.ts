/** Failed runs by cause: those of one fingerprint are one group. */
import { z } from 'zod';
import type { Pool } from 'pg';
import type { Names, Scope } from '@stratum/shared/task-history';

const MAX_GROUPS = 200;

export const FAILURE_DECISIONS = ['resolved', 'ignored'] as const;
export type FailureDecision = (typeof FAILURE_DECISIONS)[number];
const FAILURE_STATES = ['open', 'returned', ...FAILURE_DECISIONS] as const;
export type FailureState = (typeof FAILURE_STATES)[number];

const shownTime = z.iso.datetime();
const figures = {
  failures: z.int(),
  tenants: z.int().describe('How many tenants it has hit.'),
  first_at: shownTime,
  last_at: shownTime,
  error_type: z.string().nullable().describe('Of the latest run.'),
  error_message: z.string().nullable(),
  hours: z.array(z.number()).describe('Failures of each hour, the oldest first.'),
};
export const failureGroup = z
  .object({
    group: z.string(),
    task: z.string(),
    queue: z.string(),
    worker: z.string().nullable().describe('Of the latest run.'),
    ...figures,
    state: z.enum(FAILURE_STATES).describe('`returned`: it failed again after it was resolved.'),
    decided: z.object({ actor: z.string(), at: shownTime }).nullable().describe('Who decided so, and when.'),
  })
  .meta({ id: 'FailureGroup', description: 'Runs of a task that failed for the same reason.' });
export type FailureGroup = z.output<typeof failureGroup>;

const count = z.coerce.number();
const time = z.date().transform((at) => at.toISOString());
const groupRow = z.object({
  ...figures,
  error_group: z.string(),
  task: z.number(),
  worker: z.number().nullable(),
  failures: count,
  tenants: count,
  first_at: time,
  last_at: time,
});

/** The groups with failures since then, the most frequent first; at most 200. */
export async function readFailureGroups(
  pool: Pool,
  names: Names,
  { scope, since }: { scope: Scope; since: Date },
): Promise<FailureGroup[]> {
  const { rows } = await pool.query('SELECT * FROM failure_groups($1, $2, $3)', [scope, since, MAX_GROUPS]);
  await names.learn(pool, rows);
  const decisions = await readDecisions(pool);
  return rows.map((row) => {
    const { error_group: group, task, worker, ...rest } = groupRow.parse(row);
    const { queue, name } = names.taskName(task);
    const decided = decisions.get(`${group} ${task}`);
    return {
      ...rest,
      group,
      queue,
      task: name,
      worker: worker === null ? null : names.workerName(worker),
      state: stateAfter(decided, new Date(rest.last_at)),
      decided: decided === undefined ? null : { actor: decided.actor, at: decided.changed_at.toISOString() },
    };
  });
}

interface DecisionRow {
  error_group: string;
  task: number;
  state: FailureDecision;
  actor: string;
  changed_at: Date;
}

async function readDecisions(pool: Pool): Promise<Map<string, DecisionRow>> {
  const { rows } = await pool.query<DecisionRow>(
    'SELECT error_group, task, state, actor, changed_at FROM failure_state',
  );
  return new Map(rows.map((row) => [`${row.error_group} ${row.task}`, row]));
}

function stateAfter(decided: DecisionRow | undefined, lastFailure: Date): FailureState {
  if (decided === undefined) return 'open';
  return decided.state === 'resolved' && lastFailure > decided.changed_at ? 'returned' : decided.state;
}

/** @param decision `undefined`: open again. Returns whether the history knows the task. */
export async function decideFailure(
  pool: Pool,
  names: Names,
  failure: {
    group: string;
    queue: string;
    task: string;
    decision: FailureDecision | undefined;
    actor: string;
  },
): Promise<boolean> {
  const { group, queue, task, decision, actor } = failure;
  const [number] = names.tasksWhere((each) => each.queue === queue && each.name === task);
  if (number === undefined) return false;
  if (decision === undefined)
    await pool.query('DELETE FROM failure_state WHERE error_group = $1 AND task = $2', [group, number]);
  else
    await pool.query(
      `INSERT INTO failure_state (error_group, task, state, actor) VALUES ($1, $2, $3, $4)
       ON CONFLICT (error_group, task) DO UPDATE SET state = $3, actor = $4, changed_at = now()`,
      [group, number, decision, actor],
    );
  return true;
}
