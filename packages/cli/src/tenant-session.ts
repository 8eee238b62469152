/** Commands on a tenant's data run in one transaction, with the rights of a service, and write to the audit trail. */
import {
  loadConfiguration,
  PLATFORM_TENANT_ID,
  withTenant,
  type KeyRing,
  type ServiceRole,
} from '@stratum/shared';
import type { AuditAction } from '@stratum/shared/audit';
import type { Pool, PoolClient } from 'pg';
import { withDatabase } from './database-session.js';
import { withPlatformClient, type Session } from './client-session.js';
import { localEnvironment } from './environment.js';

export interface TenantOptions {
  tenant: number;
  json?: boolean;
}

/** Writes to the audit trail. @param id of what changes */
export type Audit = (
  action: AuditAction,
  id: number | string,
  details?: Record<string, unknown>,
) => Promise<void>;

export interface TenantSession {
  /** In a transaction, as the tenant. */
  client: PoolClient;
  audit: Audit;
  tasks: Session['client'];
  /** Runs once the transaction is committed. */
  afterCommit: (work: (tasks: Session['client']) => Promise<unknown>) => void;
}

export interface TenantSessionOptions {
  tenant: number;
  /** What changes, for example `key`. */
  subject: string;
  /** The service whose rights it uses. Default: the API. */
  role?: ServiceRole;
}

/** In one transaction: without its entry in the audit trail, a change is not made. */
export function asTenant<T>(
  options: TenantSessionOptions,
  work: (session: TenantSession) => Promise<T>,
): Promise<T> {
  const { tenant } = options;
  return withTenantPool(options, async (pool, audit, tasks) => {
    const later: ((tasks: Session['client']) => Promise<unknown>)[] = [];
    const result = await withTenant(pool, tenant, async (client) => {
      const { rows } = await client.query<{ is_open: boolean }>(
        'SELECT is_open(tenant) OR id = 0 AS is_open FROM tenant WHERE id = $1',
        [tenant],
      );
      if (rows[0] === undefined) throw new Error(`There is no tenant ${tenant}.`);
      if (!rows[0].is_open)
        throw new Error(`The tenant ${tenant} was deleted. Restore it with: tenants restore ${tenant}`);
      return work({ client, audit, tasks, afterCommit: (each) => later.push(each) });
    });
    for (const each of later) await each(tasks);
    return result;
  });
}

/** For work that opens its transactions itself. */
export function withTenantPool<T>(
  { tenant, subject, role = 'stratum_api' }: TenantSessionOptions,
  work: (pool: Pool, audit: Audit, tasks: Session['client'], connection: Session['connection']) => Promise<T>,
): Promise<T> {
  return withDatabase({ role }, (pool) =>
    withPlatformClient(({ connection, client: tasks, record }) => {
      const audit: Audit = (action, id, details) =>
        record({ action, subject: `${subject}/${id}`, details, tenantId: tenant });
      return work(pool, audit, tasks, connection);
    }),
  );
}

/** For changes of the platform itself, in its own chain of the audit trail. */
export function withPlatformAudit<T>(
  subject: string,
  work: (pool: Pool, audit: Audit) => Promise<T>,
): Promise<T> {
  return withTenantPool({ tenant: PLATFORM_TENANT_ID, subject }, work);
}

/** Encrypts secrets at rest. */
export async function keyRing(): Promise<KeyRing> {
  return loadConfiguration(['STRATUM_CREDENTIALS_KEY'], await localEnvironment()).STRATUM_CREDENTIALS_KEY;
}
