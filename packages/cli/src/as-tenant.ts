/** Commands that change what belongs to a tenant, directly in the database, with the rights of the API. */
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import {
  ensureAuditStream,
  loadConfiguration,
  openDatabase,
  publishAudit,
  withTenant,
} from '@stratum/shared';
import type { PoolClient } from 'pg';
import { localEnvironment, withClient, type Session } from './environment.js';

/** Tells the audit trail of a change. */
export type Tell = (action: string, id: string, details?: Record<string, unknown>) => Promise<void>;

export interface TenantSession {
  /** In a transaction, as the tenant. */
  client: PoolClient;
  tell: Tell;
  tasks: Session['client'];
}

/** In one transaction: a change that cannot be told to the audit trail is not made. */
export async function asTenant<T>(
  { tenant, subject }: { tenant: number; subject: string },
  work: (session: TenantSession) => Promise<T>,
): Promise<T> {
  const configuration = loadConfiguration(
    ['DATABASE_URL', 'STRATUM_PREFIX', 'STRATUM_REPLICAS'],
    await localEnvironment(),
  );
  const pool = openDatabase({ url: configuration.DATABASE_URL, name: 'stratum-cli', role: 'stratum_api' });
  try {
    return await withClient(async ({ connection, client: tasks }) => {
      await ensureAuditStream(connection, configuration);
      return withTenant(pool, tenant, async (client) => {
        const { rowCount } = await client.query('SELECT FROM tenant WHERE id = $1', [tenant]);
        if (rowCount === 0) throw new Error(`There is no tenant ${tenant}.`);
        const tell: Tell = (action, id, details = {}) =>
          publishAudit(connection, configuration.STRATUM_PREFIX, {
            id: randomUUID(),
            tenant_id: tenant,
            actor: `cli/${userInfo().username}`,
            action,
            subject: `${subject}/${id}`,
            details,
            occurred_at: new Date().toISOString(),
          });
        return work({ client, tell, tasks });
      });
    });
  } finally {
    await pool.end();
  }
}
