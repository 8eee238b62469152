/**
 * What has to be done for tenants and people, found in the database and enqueued: erasures whose grace time is over, requests that platforms have
 * passed on, lookup hashes of older keys. Every default worker looks; ids that come from the time make one task of what several find.
 */
import type { JobsClient } from '@stratum/jobs';
import { BackgroundLoop } from '@stratum/jobs/internal';
import { carryOutPrivacyRequest, eraseTenant, rekeyTenantHashes, type KeyRing } from '@stratum/shared';
import type { HandlerResources } from '@stratum/shared/service';
import type { Pool } from 'pg';

export interface UpkeepOptions {
  /** Connected as `stratum_default_worker`. */
  pool: Pool;
  client: Pick<JobsClient, 'enqueue'>;
  keys: KeyRing;
  logger: HandlerResources<never>['logger'];
}

const EVERY_MS = 5_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What is not done is enqueued again in the next slot of this many milliseconds. */
const slot = (lengthMs: number): number => Math.floor(Date.now() / lengthMs);

export function createUpkeep(options: UpkeepOptions): BackgroundLoop {
  let rekeyedIn = 0;
  return new BackgroundLoop({
    everyMs: EVERY_MS,
    run: async () => {
      await enqueueErasures(options);
      await enqueueRequests(options);
      // Reads more, and is never urgent.
      if (rekeyedIn !== slot(HOUR_MS)) await enqueueRekeying(options);
      rekeyedIn = slot(HOUR_MS);
      return undefined;
    },
    onFailure: (error) => options.logger.warn({ err: error }, 'the upkeep of tenants and people waits'),
  });
}

async function enqueueErasures({ pool, client }: UpkeepOptions): Promise<void> {
  const { rows } = await pool.query<{ tenant_id: string }>('SELECT tenant_id FROM erasable_tenants()');
  for (const { tenant_id: tenant } of rows)
    await client.enqueue(
      eraseTenant,
      { tenant: Number(tenant) },
      { id: `erase-tenant-${tenant}-${slot(10 * MINUTE_MS)}` },
    );
}

async function enqueueRequests({ pool, client }: UpkeepOptions): Promise<void> {
  const { rows } = await pool.query<{ tenant_id: string; request_id: string }>(
    'SELECT tenant_id, request_id FROM open_privacy_requests()',
  );
  for (const { tenant_id: tenant, request_id: request } of rows)
    await client.enqueue(
      carryOutPrivacyRequest,
      { tenant_id: Number(tenant), request_id: Number(request) },
      { id: `privacy-${request}-${slot(10 * MINUTE_MS)}` },
    );
}

async function enqueueRekeying({ pool, client, keys }: UpkeepOptions): Promise<void> {
  await pool.query('SELECT forget_erased_people()');
  // With one key there are none of an older one, so not everything has to be read.
  const { rows } = await pool.query<{ tenant_id: string }>(
    'SELECT tenant_id FROM tenants_with_old_hashes($1, $2)',
    [keys.current.id, (keys.ids?.length ?? 1) > 1],
  );
  for (const { tenant_id: tenant } of rows)
    await client.enqueue(
      rekeyTenantHashes,
      { tenant_id: Number(tenant) },
      { id: `rekey-${tenant}-${slot(HOUR_MS)}` },
    );
}
