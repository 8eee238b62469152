/** Whose a segment or a funnel is: tasks may name it by its id alone. */
import { TaskError, type TaskContext } from '@stratum/jobs';
import type { Pool } from 'pg';

const STATEMENTS = {
  segment: 'SELECT tenant_of_segment($1) AS tenant_id',
  funnel: 'SELECT tenant_of_funnel($1) AS tenant_id',
} as const;

/** The tenant that the task was published for, where its payload names none. */
export function publishedFor({ tenant }: Pick<TaskContext, 'tenant'>): number | undefined {
  return tenant === undefined ? undefined : Number(tenant);
}

/** @throws TaskError, never retried, when there is none of that id, or it is not the one's who asks */
export async function tenantOf(
  pool: Pool,
  kind: keyof typeof STATEMENTS,
  id: number,
  asking: number | undefined,
): Promise<number> {
  const { rows } = await pool.query<{ tenant_id: string | null }>(STATEMENTS[kind], [id]);
  const owner = rows[0]?.tenant_id;
  if (owner && (asking === undefined || Number(owner) === asking)) return Number(owner);
  const whose = asking === undefined ? '' : ` of tenant ${asking}`;
  throw new TaskError(`There is no ${kind} ${id}${whose}.`, { retryable: false });
}
