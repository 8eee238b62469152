/** Changes that a person makes for a tenant: in one transaction, with its rights, and told to the audit trail. */
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import {
  ensureAuditStream,
  loadConfiguration,
  openDatabase,
  publishAudit,
  withTenant,
  type ServiceRole,
} from '@stratum/shared';
import { InvalidArgumentError } from 'commander';
import type { Pool, PoolClient } from 'pg';
import { localEnvironment, withClient } from './environment.js';

/** Tells the audit trail. @param id of what is changed */
export type Tell = (action: string, id: number | string, details?: Record<string, unknown>) => Promise<void>;

export interface TenantSessionOptions {
  tenant: number;
  role: ServiceRole;
  /** What is changed, for example `key`. */
  subject: string;
}

/** In one transaction: a change that cannot be told to the audit trail is not made. */
export function asTenant<T>(
  options: TenantSessionOptions,
  work: (client: PoolClient, tell: Tell) => Promise<T>,
): Promise<T> {
  return withTenantPool(options, (pool, tell) =>
    withTenant(pool, options.tenant, async (client) => {
      const { rowCount } = await client.query('SELECT FROM tenant WHERE id = $1', [options.tenant]);
      if (rowCount === 0) throw new Error(`There is no tenant ${options.tenant}.`);
      return work(client, tell);
    }),
  );
}

/** For work that opens its transactions itself. */
export async function withTenantPool<T>(
  { tenant, role, subject }: TenantSessionOptions,
  work: (pool: Pool, tell: Tell) => Promise<T>,
): Promise<T> {
  const configuration = loadConfiguration(
    ['DATABASE_URL', 'STRATUM_PREFIX', 'STRATUM_REPLICAS'],
    await localEnvironment(),
  );
  const pool = openDatabase({ url: configuration.DATABASE_URL, name: 'stratum-cli', role });
  try {
    return await withClient(async ({ connection }) => {
      await ensureAuditStream(connection, configuration);
      return work(pool, (action, id, details = {}) =>
        publishAudit(connection, configuration.STRATUM_PREFIX, {
          id: randomUUID(),
          tenant_id: tenant,
          actor: `cli/${userInfo().username}`,
          action,
          subject: `${subject}/${id}`,
          details,
          occurred_at: new Date().toISOString(),
        }),
      );
    });
  } finally {
    await pool.end();
  }
}

export function parseTenant(text: string): number {
  const tenant = Number(text);
  if (Number.isSafeInteger(tenant) && tenant > 0) return tenant;
  throw new InvalidArgumentError('Give the number of a tenant.');
}
