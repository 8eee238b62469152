/** The handlers of the sync queue. */
import { handleTask, type TaskHandler } from '@stratum/jobs';
import { ENDPOINT_SETTINGS, endpointsFrom, syncAllCampaigns, syncCampaignData } from '@stratum/shared';
import type { QueueService } from '@stratum/shared/service';
import { syncAllCampaignsHandler } from './sync-all-campaigns.js';
import { syncCampaignDataHandler } from './sync-campaign-data.js';
import type { SyncDependencies } from './dependencies.js';

export function createSyncHandlers(dependencies: SyncDependencies): TaskHandler[] {
  return [
    handleTask(syncCampaignData, syncCampaignDataHandler(dependencies)),
    handleTask(syncAllCampaigns, syncAllCampaignsHandler(dependencies)),
  ];
}

const SETTINGS = ['STRATUM_CREDENTIALS_KEY', 'PLATFORM_REQUEST_TIMEOUT', ...ENDPOINT_SETTINGS] as const;

export const syncService: QueueService<(typeof SETTINGS)[number]> = {
  queue: 'sync',
  settings: SETTINGS,
  // Each running sync holds one for its lock and uses one more at a time.
  connectionsPerTask: 2,
  createHandlers: ({ pool, configuration }) =>
    createSyncHandlers({
      pool,
      keys: configuration.STRATUM_CREDENTIALS_KEY,
      endpoints: endpointsFrom(configuration),
      requestTimeoutMs: configuration.PLATFORM_REQUEST_TIMEOUT,
    }),
};
