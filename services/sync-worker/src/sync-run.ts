/** The summary row of one account's sync. */
import type { Queryable } from '@stratum/shared';
import { PlatformError } from '@stratum/connectors/ad-platforms';
import type { SyncPlace } from './sync-place.js';

export interface SyncCounts {
  campaigns_read: number;
  campaigns_updated: number;
  campaigns_removed: number;
  metric_rows_read: number;
  metric_rows_written: number;
}

export interface SyncRun {
  id: string;
}

export function emptyCounts(): SyncCounts {
  return {
    campaigns_read: 0,
    campaigns_updated: 0,
    campaigns_removed: 0,
    metric_rows_read: 0,
    metric_rows_written: 0,
  };
}

/** Opens a run. A run of this account that a lost worker left open is closed as failed. */
export async function startRun(
  client: Queryable,
  { tenantId, taskId }: { tenantId: number; taskId: string },
  accountId: string,
  place: SyncPlace,
): Promise<SyncRun> {
  await client.query(
    `UPDATE sync_run SET outcome = 'failed', error_kind = 'worker_lost', error_message = 'The worker ended in the middle of the sync.', finished_at = now()
     WHERE account_id = $1 AND outcome = 'running'`,
    [accountId],
  );
  const { rows } = await client.query<SyncRun>(
    `INSERT INTO sync_run (tenant_id, account_id, task_id, window_since, window_until, place) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
    [tenantId, accountId, taskId, place.since, place.until, JSON.stringify(place)],
  );
  const [run] = rows;
  if (run === undefined) throw new Error('The sync run was not stored.');
  return run;
}

export async function finishRun(
  client: Queryable,
  run: SyncRun,
  counts: SyncCounts,
  error: unknown,
): Promise<void> {
  const failed = error !== undefined;
  await client.query(
    `UPDATE sync_run
     SET outcome = $2, campaigns_read = $3, campaigns_written = $4, campaigns_removed = $5, metric_rows_read = $6,
         metric_rows_written = $7, error_kind = $8, error_message = $9, finished_at = now()
     WHERE id = $1`,
    [
      run.id,
      failed ? 'failed' : 'succeeded',
      counts.campaigns_read,
      counts.campaigns_updated,
      counts.campaigns_removed,
      counts.metric_rows_read,
      counts.metric_rows_written,
      error instanceof PlatformError ? error.kind : failed ? 'internal' : null,
      error instanceof Error ? error.message : null,
    ],
  );
}
