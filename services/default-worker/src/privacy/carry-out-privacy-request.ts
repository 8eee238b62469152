/** `carry_out_privacy_request`: erases whom the request names, then forgets whom it named. */
import { randomUUID } from 'node:crypto';
import type { HandlerFor } from '@stratum/jobs';
import { publishAudit, withTenant, type carryOutPrivacyRequest } from '@stratum/shared';
import { closeRequest, erasePerson, namesOfRequest, type Identified } from '@stratum/shared/privacy';
import type { PoolClient } from 'pg';
import type { DefaultDependencies } from '../dependencies.js';

const AT_ONCE = 100;
const BLOCK_DAYS = 30;

type Dependencies = Pick<
  DefaultDependencies,
  'pool' | 'connection' | 'prefix' | 'keys' | 'client' | 'erasedBlockDays'
>;

export function carryOutPrivacyRequestHandler(
  dependencies: Dependencies,
): HandlerFor<typeof carryOutPrivacyRequest> {
  const { pool, connection, prefix, keys, erasedBlockDays: blockDays = BLOCK_DAYS } = dependencies;
  return async ({ tenant_id: tenantId, request_id: requestId }, { signal }) => {
    const request = await withTenant(pool, tenantId, async (client) => {
      const { rows } = await client.query<{ kind: string }>(
        'SELECT kind FROM privacy_request WHERE tenant_id = current_tenant() AND id = $1',
        [requestId],
      );
      return { kind: rows[0]?.kind, names: await namesOfRequest(client, keys, tenantId, requestId) };
    });
    if (request.names === undefined || request.kind === 'export')
      return { request_id: requestId, state: 'done' };
    let profiles = 0;
    for (let more = true; more;) {
      signal.throwIfAborted();
      const shop = request.kind === 'erase_shop' ? await withTenant(pool, tenantId, shopProfiles) : [];
      const names: ({ id: number } | Identified)[] = [...request.names, ...shop];
      const erased = await erasePerson(dependencies, { tenantId, names, blockDays });
      profiles += erased.profile_ids.length;
      more = shop.length === AT_ONCE;
    }
    await publishAudit(connection, prefix, {
      id: `privacy-${requestId}-${randomUUID()}`,
      tenant_id: tenantId,
      actor: 'task/carry_out_privacy_request',
      action: 'profile.erased',
      subject: `privacy_request/${requestId}`,
      details: { profiles },
      occurred_at: new Date().toISOString(),
    });
    await withTenant(pool, tenantId, (client) => closeRequest(client, requestId, { profiles }));
    return { request_id: requestId, state: 'done' };
  };
}

/** Profiles that have bought in the shop. */
async function shopProfiles(client: PoolClient): Promise<{ id: number }[]> {
  const { rows } = await client.query<{ id: string }>('SELECT id FROM profiles_of_library($1, $2)', [
    'webhook/shopify',
    AT_ONCE,
  ]);
  return rows.map(({ id }) => ({ id: Number(id) }));
}
