/** Commands about what belongs to a tenant: in one transaction, with a service's rights, and told to the audit trail. */
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import {
  ensureAuditStream,
  loadConfiguration,
  openDatabase,
  publishAudit,
  withTenant,
  type KeyRing,
  type ServiceRole,
} from '@stratum/shared';
import { Command, InvalidArgumentError } from 'commander';
import type { Pool, PoolClient } from 'pg';
import { localEnvironment, withClient, type Session } from './environment.js';

export interface TenantOptions {
  tenant: number;
  json?: boolean;
}

/** Tells the audit trail. @param id of what is changed */
export type Tell = (action: string, id: number | string, details?: Record<string, unknown>) => Promise<void>;

export interface TenantSession {
  /** In a transaction, as the tenant. */
  client: PoolClient;
  tell: Tell;
  tasks: Session['client'];
  /** Runs once the transaction is committed. */
  afterCommit: (work: (tasks: Session['client']) => Promise<unknown>) => void;
}

export interface TenantSessionOptions {
  tenant: number;
  /** What is changed, for example `key`. */
  subject: string;
  /** Whose rights it takes. Default: the API's. */
  role?: ServiceRole;
}

/** @param example what stands behind the parent's name */
export function tenantCommand(parent: string, name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption('--tenant <id>', 'whose', parseTenant)
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExample:\n  stratum ${parent} ${name} ${example}`);
}

/** In one transaction: a change that cannot be told to the audit trail is not made. */
export function asTenant<T>(
  options: TenantSessionOptions,
  work: (session: TenantSession) => Promise<T>,
): Promise<T> {
  const { tenant } = options;
  return withTenantPool(options, async (pool, tell, tasks) => {
    const later: ((tasks: Session['client']) => Promise<unknown>)[] = [];
    const result = await withTenant(pool, tenant, async (client) => {
      const { rowCount } = await client.query('SELECT FROM tenant WHERE id = $1', [tenant]);
      if (rowCount === 0) throw new Error(`There is no tenant ${tenant}.`);
      return work({ client, tell, tasks, afterCommit: (each) => later.push(each) });
    });
    for (const each of later) await each(tasks);
    return result;
  });
}

/** For work that opens its transactions itself. */
export async function withTenantPool<T>(
  { tenant, subject, role = 'stratum_api' }: TenantSessionOptions,
  work: (pool: Pool, tell: Tell, tasks: Session['client']) => Promise<T>,
): Promise<T> {
  const configuration = loadConfiguration(
    ['DATABASE_URL', 'STRATUM_PREFIX', 'STRATUM_REPLICAS', 'AUDIT_MAX_BYTES'],
    await localEnvironment(),
  );
  const pool = openDatabase({ url: configuration.DATABASE_URL, name: 'stratum-cli', role });
  try {
    return await withClient(async ({ connection, client: tasks }) => {
      // What the services are configured with need not be known here.
      await ensureAuditStream(connection, configuration, { update: false });
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
      return work(pool, tell, tasks);
    });
  } finally {
    await pool.end();
  }
}

/** What seals secrets at rest. */
export async function keyRing(): Promise<KeyRing> {
  return loadConfiguration(['STRATUM_CREDENTIALS_KEY'], await localEnvironment()).STRATUM_CREDENTIALS_KEY;
}

/** Of an option `--tenant <id>`. */
export function parseTenant(text: string): number {
  const tenant = Number(text);
  if (Number.isSafeInteger(tenant) && tenant > 0) return tenant;
  throw new InvalidArgumentError('Give the number of a tenant.');
}
