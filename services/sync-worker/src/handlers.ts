/** The handlers of the sync queue, with what they need. */
import { handleTask, type TaskHandler } from '@stratum/jobs';
import { ENDPOINT_SETTINGS, syncAllCampaigns, syncCampaignData, type KeyRing } from '@stratum/shared';
import type { PlatformEndpoints } from '@stratum/shared/platforms';
import type { Pool } from 'pg';
import { syncAllCampaignsHandler } from './sync-all-campaigns.js';
import { syncCampaignDataHandler } from './sync-campaign-data.js';

export interface SyncDependencies {
  /** Connected as `stratum_sync_worker`. */
  pool: Pool;
  keys: KeyRing;
  endpoints: PlatformEndpoints;
  /** For each request to a platform, in milliseconds. */
  requestTimeoutMs: number;
  /** How long a sync waits that meets another one of the same tenant and platform, in milliseconds. Default 15,000. */
  busyWaitMs?: number;
  /** Default: the real time. */
  now?: () => Date;
}

/** Settings that the dependencies are made from. */
export const SYNC_SETTINGS = [
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'DATABASE_STATEMENT_TIMEOUT',
  'STRATUM_CREDENTIALS_KEY',
  'PLATFORM_REQUEST_TIMEOUT',
  ...ENDPOINT_SETTINGS,
] as const;

export function createSyncHandlers(dependencies: SyncDependencies): TaskHandler[] {
  return [
    handleTask(syncCampaignData, syncCampaignDataHandler(dependencies)),
    handleTask(syncAllCampaigns, syncAllCampaignsHandler(dependencies)),
  ];
}
