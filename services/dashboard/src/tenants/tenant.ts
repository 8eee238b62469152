/** One tenant: its queues, its limits and what it uses of them, and the tasks that took its time. */
import { tenantEntryPrefix, withTenant } from '@stratum/shared';
import { countUse, QUOTA_NAMES, QUOTAS, readQuotas } from '@stratum/shared/quotas';
import type { PoolClient } from 'pg';
import { z } from 'zod';
import type { DashboardResources } from '../http/types.js';
import { sumOf } from './overview.js';

const tenantLimit = z
  .object({
    name: z.enum(QUOTA_NAMES),
    meaning: z.string(),
    limit: z.number(),
    used: z.number().nullable().describe('`null` for a limit of each single thing.'),
    set_by: z.enum(['plan', 'operator']),
  })
  .meta({ id: 'TenantLimit' });
export type TenantLimit = z.output<typeof tenantLimit>;

const depth = z.int();
export const tenantDetail = z
  .object({
    tenant_id: z.int(),
    name: z.string(),
    plan: z.string(),
    queues: z
      .array(z.object({ queue: z.string(), high: depth, normal: depth, low: depth }))
      .describe('Queues with tasks of the tenant, running ones included.'),
    limits: z.array(tenantLimit),
    tasks: z
      .array(z.object({ task: z.string(), ended: z.int(), failed: z.int(), run_ms: z.number() }))
      .describe('Within a day, those that took longest first.'),
  })
  .meta({ id: 'TenantDetail' });
export type TenantDetail = z.output<typeof tenantDetail>;

const MAX_TASKS = 15;
const taskSchema = z.object({
  task: z.number(),
  ended: z.coerce.number(),
  failed: z.coerce.number(),
  run_ms: z.coerce.number(),
});

/** `undefined`: there is no such tenant. */
export async function readTenant(
  { pool, client, schedules, names }: Pick<DashboardResources, 'pool' | 'client' | 'schedules' | 'names'>,
  tenantId: number,
): Promise<TenantDetail | undefined> {
  const [own, depths, entries] = await Promise.all([
    withTenant(pool, tenantId, async (connection) => ({
      quotas: await readQuotas(connection),
      name: await nameOf(connection),
      rows: await countUse(connection),
      tasks: await enqueuedBy(connection),
    })),
    client.waitingOf(String(tenantId)),
    schedules.list({ names: (entry) => entry.startsWith(tenantEntryPrefix(tenantId)) }),
  ]);
  const { quotas, name, rows, tasks } = own;
  if (quotas === undefined || name === undefined) return undefined;
  const { rows: found } = await pool.query('SELECT * FROM tenant_tasks($1, $2)', [tenantId, MAX_TASKS]);
  await names.learn(pool, found);
  const used = {
    ...rows,
    waiting_tasks: sumOf(depths) + tasks.delayed,
    tasks_per_minute: tasks.minute,
    schedules: entries.filter(({ tenant }) => tenant === String(tenantId)).length,
    workflow_steps: null,
  };
  return {
    tenant_id: tenantId,
    name,
    plan: quotas.plan,
    queues: Object.entries(depths)
      .filter(([, lanes]) => Object.values(lanes).some((n) => n > 0))
      .map(([queue, lanes]) => ({ queue, ...lanes })),
    limits: QUOTA_NAMES.map((quota) => ({
      name: quota,
      meaning: QUOTAS[quota],
      limit: quotas.limits[quota],
      used: used[quota],
      set_by: quotas.own.has(quota) ? 'operator' : 'plan',
    })),
    tasks: found.map((row) => {
      const { task, ...figures } = taskSchema.parse(row);
      return { task: names.taskName(task).name, ...figures };
    }),
  };
}

async function nameOf(client: PoolClient): Promise<string | undefined> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT name FROM tenant WHERE id = current_tenant() AND deleted_at IS NULL',
  );
  return rows[0]?.name;
}

/** As the doors have counted them: tasks of this minute, and delayed ones. */
async function enqueuedBy(client: PoolClient): Promise<{ minute: number; delayed: number }> {
  const { rows } = await client.query<{ minute: string; delayed: string }>(
    `SELECT coalesce(sum(tasks) FILTER (WHERE kind = 'enqueued' AND until > now()), 0) AS minute,
       coalesce(sum(tasks) FILTER (WHERE kind = 'due' AND until > now()), 0) AS delayed
     FROM tenant_use WHERE tenant_id = current_tenant()`,
  );
  return { minute: Number(rows[0]?.minute ?? 0), delayed: Number(rows[0]?.delayed ?? 0) };
}
