/** Dependencies of the handlers of the sync queue. */
import type { ConnectorDependencies } from '@stratum/shared';
import type { Pool } from 'pg';

export interface SyncDependencies extends ConnectorDependencies {
  /** Connected as `stratum_sync_worker`. */
  pool: Pool;
  /** How long a sync waits that meets another one of the same tenant and platform, in milliseconds. Default 15,000. */
  busyWaitMs?: number;
  /** Default: the real time. */
  now?: () => Date;
}
