/** `check_pipeline_health`: looks at what all tenants share once, then one task per tenant. */
import type { HandlerFor } from '@stratum/jobs';
import {
  activeTenants,
  checkTenantPipeline,
  fanOut,
  tickTime,
  type checkPipelineHealth,
} from '@stratum/shared';
import type { DefaultDependencies } from '../dependencies.js';

const HOUR_MS = 3_600_000;
const PAGE = 500;

export function checkPipelineHealthHandler({
  pool,
  client,
}: Pick<DefaultDependencies, 'pool' | 'client'>): HandlerFor<typeof checkPipelineHealth> {
  return async (_payload, context) => {
    const at = tickTime(context);
    const [tenants, queues, dead] = await Promise.all([
      activeTenants(pool),
      client.queues(),
      deadLettersByTenant(client, new Date(at.getTime() - HOUR_MS)),
    ]);
    const states = queues.map(({ queue, high, normal, low, oldestWaitingAt }) => ({
      queue,
      waiting: high + normal + low,
      oldest_seconds:
        oldestWaitingAt === null
          ? 0
          : Math.max(0, Math.round((Date.now() - Date.parse(oldestWaitingAt)) / 1000)),
    }));
    const items = tenants.map((tenantId) => ({
      scope: tenantId,
      payload: {
        tenant_id: tenantId,
        checked_at: at.toISOString(),
        queues: states,
        dead_letters: dead.get(String(tenantId)) ?? 0,
      },
    }));
    return { enqueued: await fanOut(context, checkTenantPipeline, items) };
  };
}

async function deadLettersByTenant(
  { deadLetters }: DefaultDependencies['client'],
  since: Date,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let after = 0; ;) {
    const page = await deadLetters.list({ after, limit: PAGE });
    for (const { tenant, at } of page) {
      if (tenant !== null && new Date(at) >= since) counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return counts;
    after = last.sequence;
  }
}
