/**
 * The ads of an account and their figures of the days that are over: once a local day, because ads are many, and what is computed from them
 * is computed daily.
 */
import { withTenant } from '@stratum/shared';
import { PlatformError, type PlatformConnector } from '@stratum/connectors/ad-platforms';
import { addDays, localDate } from '@stratum/connectors/values';
import type { Pool } from 'pg';
import type { SyncAccount } from './accounts.js';
import { CreativeWriter } from './creative-writer.js';

/** A day is compared with the seven before it; three more, because platforms restate. */
const DAYS_READ = 11;

export interface CreativesSync {
  pool: Pool;
  tenantId: number;
  account: SyncAccount;
  connector: PlatformConnector;
  startedAt: Date;
  now: Date;
  signal: AbortSignal;
}

/** Returns why the creatives could not be read, or `undefined`. The next sync tries again: campaigns and their figures are right without them. */
export async function syncCreatives(sync: CreativesSync): Promise<string | undefined> {
  const { pool, tenantId, account, connector, startedAt, now, signal } = sync;
  const today = localDate(now, account.timeZone);
  if (account.creativesSyncedAt !== null && localDate(account.creativesSyncedAt, account.timeZone) >= today)
    return undefined;
  const writer = new CreativeWriter(pool, tenantId, account, startedAt);
  try {
    for await (const creatives of connector.listCreatives({ signal })) await writer.writeCreatives(creatives);
    // Only a complete listing shows which are gone.
    await writer.archiveUnlisted();
    const window = { since: addDays(today, -DAYS_READ), until: addDays(today, -1) };
    for await (const metrics of connector.creativeMetrics(window, { signal }))
      await writer.writeMetrics(metrics);
  } catch (error) {
    if (error instanceof PlatformError) return error.message;
    throw error;
  }
  await withTenant(pool, tenantId, (client) =>
    client.query('UPDATE platform_account SET creatives_synced_at = $2 WHERE id = $1', [account.id, now]),
  );
  return undefined;
}
