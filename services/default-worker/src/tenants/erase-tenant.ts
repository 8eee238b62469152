/**
 * `erase_tenant`: removes everything of a tenant whose grace time is over, first from the broker, so that nothing is written again, then from the
 * database, part by part. A run that is cut short goes on with the next one.
 */
import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import type { HandlerFor } from '@stratum/jobs';
import { isApiError, scopedName, ServerCode } from '@stratum/jobs/internal';
import { PLATFORM_TENANT_ID, publishAudit, type eraseTenant } from '@stratum/shared';
import { eventStreamNames } from '@stratum/shared/customer-events';
import type { DefaultDependencies } from '../dependencies.js';

const BATCH = 5_000;

type EraseDependencies = Pick<DefaultDependencies, 'pool' | 'connection' | 'prefix' | 'client'>;

export function eraseTenantHandler(dependencies: EraseDependencies): HandlerFor<typeof eraseTenant> {
  const { pool, connection, prefix, client } = dependencies;
  return async ({ tenant }, context) => {
    const { rows: due } = await pool.query<{ tenant_id: string }>('SELECT tenant_id FROM erasable_tenants()');
    if (!due.some(({ tenant_id: id }) => Number(id) === tenant)) return { tenant, rows: 0, messages: 0 };
    const {
      tasks,
      dead_letters: letters,
      records,
      events,
      workflows,
      schedules,
    } = await client.erase({
      tenant: String(tenant),
    });
    let messages = tasks + letters + records + events + workflows + schedules;
    messages += await purgeStreams(dependencies, tenant);
    let rows = 0;
    for (let gone = BATCH; gone > 0;) {
      context.signal.throwIfAborted();
      const { rows: answer } = await pool.query<{ gone: string }>(
        'SELECT erase_tenant_rows($1, $2) AS gone',
        [tenant, BATCH],
      );
      gone = Number(answer[0]?.gone);
      rows += gone;
      context.progress(rows, rows);
    }
    await pool.query('SELECT finish_tenant_erasure($1)', [tenant]);
    await publishAudit(connection, prefix, {
      id: `erased-${tenant}-${randomUUID()}`,
      tenant_id: PLATFORM_TENANT_ID,
      actor: 'task/erase_tenant',
      action: 'tenant.erased',
      subject: `tenant/${tenant}`,
      details: { rows, messages },
      occurred_at: new Date().toISOString(),
    });
    return { tenant, rows, messages };
  };
}

/** Streams whose subjects name the tenant. Returns how many messages went. */
async function purgeStreams({ connection, prefix }: EraseDependencies, tenant: number): Promise<number> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const places: (readonly [string, string])[] = [
    [eventStreamNames(prefix).stream, `${prefix}.customer.${tenant}.>`],
    [scopedName(prefix, 'DOMAIN_EVENTS'), `${prefix}.domain.${tenant}.>`],
  ];
  let purged = 0;
  for (const [stream, filter] of places) {
    try {
      purged += (await manager.streams.purge(stream, { filter })).purged;
    } catch (error) {
      if (!isApiError(error, ServerCode.StreamNotFound)) throw error;
    }
  }
  return purged;
}
