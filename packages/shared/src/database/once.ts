/** Effects that happen once, however often their task is delivered. */
import type { Pool, PoolClient } from 'pg';
import { withTenant } from './database.js';

/** What `once` returns when the key was processed before; also what a task may return as its result. */
export interface Skipped {
  status: 'skipped';
  reason: 'already_processed';
}

const SKIPPED: Skipped = Object.freeze({ status: 'skipped', reason: 'already_processed' });

/**
 * Runs `work` and writes the key in one transaction: both happen, or neither. For a key that was written before, `work` does not run. Of two
 * at the same time the second waits for the first. Everything `work` does has to go through the client it is given.
 */
export function once<T>(
  pool: Pool,
  { tenantId, key }: { tenantId: number; key: string },
  work: (client: PoolClient) => Promise<T>,
): Promise<T | Skipped> {
  return withTenant(pool, tenantId, async (client) => {
    const { rowCount } = await client.query(
      'INSERT INTO processed_key (tenant_id, key) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [tenantId, key],
    );
    return rowCount === 0 ? SKIPPED : work(client);
  });
}
