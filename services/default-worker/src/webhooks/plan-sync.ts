/** A sync of a platform's campaigns, soon: what changes within half a minute is brought by one. */
import { syncCampaignData } from '@stratum/shared';
import type { PlatformName } from '@stratum/connectors/ad-platforms';
import type { IncomingEvent, PlannedTask } from './plan.js';

const GATHER_MS = 30_000;

/** It starts when the half minute is over, so that it sees every change within it. */
export function planSync({ tenantId, receivedAt }: IncomingEvent, platform: PlatformName): PlannedTask {
  const end = (Math.floor(receivedAt.getTime() / GATHER_MS) + 1) * GATHER_MS;
  return {
    contract: syncCampaignData,
    payload: { tenant_id: tenantId, platform },
    shared: { key: `${platform}/${end}`, at: new Date(end) },
  };
}
