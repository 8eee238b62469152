/** `sync_all_campaigns`: one sync for each tenant and connected platform. */
import type { HandlerFor } from '@stratum/jobs';
import { derivedTaskId, slotOf, syncCampaignData, type syncAllCampaigns } from '@stratum/shared';
import { PLATFORM_NAMES, type PlatformName } from '@stratum/connectors/ad-platforms';
import type { SyncDependencies } from './dependencies.js';

interface ConnectedPlatform {
  tenant_id: string;
  platform: string;
}

/**
 * The ids of the syncs come from the tick that asked for them: a tick that is delivered twice enqueues nothing twice.
 */
export function syncAllCampaignsHandler({
  pool,
}: Pick<SyncDependencies, 'pool'>): HandlerFor<typeof syncAllCampaigns> {
  return async (_payload, context) => {
    const { rows } = await pool.query<ConnectedPlatform>(
      'SELECT tenant_id, platform FROM connected_platforms()',
    );
    const slot = slotOf(context);
    const items = rows
      .filter((row): row is ConnectedPlatform & { platform: PlatformName } => isPlatform(row.platform))
      .map(({ tenant_id: tenantId, platform }) => ({
        payload: { tenant_id: Number(tenantId), platform },
        options: { id: derivedTaskId('sync', slot, tenantId, platform) },
      }));
    const enqueued = await context.enqueueMany(syncCampaignData, items);
    return { enqueued: enqueued.filter(({ duplicate }) => !duplicate).length };
  };
}

function isPlatform(name: string): name is PlatformName {
  return PLATFORM_NAMES.some((each) => each === name);
}
