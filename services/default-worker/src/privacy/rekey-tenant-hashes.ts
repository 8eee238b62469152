/** `rekey_tenant_hashes`: what is stored with an older key, or with none, gets the current one. */
import type { HandlerFor } from '@stratum/jobs';
import { rekeyTenant, type rekeyTenantHashes } from '@stratum/shared';
import type { DefaultDependencies } from '../dependencies.js';

export function rekeyTenantHashesHandler({
  pool,
  keys,
}: Pick<DefaultDependencies, 'pool' | 'keys'>): HandlerFor<typeof rekeyTenantHashes> {
  return async ({ tenant_id: tenantId }, { signal }) => ({
    tenant_id: tenantId,
    ...(await rekeyTenant(pool, keys, tenantId, signal)),
  });
}
