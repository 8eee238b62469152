/** The handlers of the sync queue, and their dependencies. */
import { handleTask, type TaskHandler } from '@stratum/jobs';
import {
  ENDPOINT_SETTINGS,
  endpointsFrom,
  syncAllCampaigns,
  syncCampaignData,
  type ConnectorDependencies,
  type QueueService,
} from '@stratum/shared';
import type { Pool } from 'pg';
import { syncAllCampaignsHandler } from './sync-all-campaigns.js';
import { syncCampaignDataHandler } from './sync-campaign-data.js';

export interface SyncDependencies extends ConnectorDependencies {
  /** Connected as `stratum_sync_worker`. */
  pool: Pool;
  /** How long a sync waits that meets another one of the same tenant and platform, in milliseconds. Default 15,000. */
  busyWaitMs?: number;
  /** Default: the real time. */
  now?: () => Date;
}

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
