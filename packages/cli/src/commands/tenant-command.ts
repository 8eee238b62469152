/** What commands about one tenant's things have in common: its number, its rows, the audit trail. */
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import {
  DEMO_TENANT_ID,
  ensureAuditStream,
  loadConfiguration,
  openDatabase,
  publishAudit,
  withTenant,
  type KeyRing,
} from '@stratum/shared';
import { Command, InvalidArgumentError } from 'commander';
import type { PoolClient } from 'pg';
import { localEnvironment, withClient, type Session } from '../environment.js';

export interface TenantOptions {
  tenant: number;
  json?: boolean;
}

export interface TenantWork {
  tenantId: number;
  /** In a transaction, as the tenant, with the rights of the API. */
  database: PoolClient;
  keys: KeyRing;
  /** Hosts that may be addressed although they are not public. */
  allowedHosts: readonly string[];
  /** Tells the audit trail of a change; one that cannot be told is not made. */
  tell: (action: string, id: string, details?: Record<string, unknown>) => Promise<void>;
  /** Runs once the transaction is committed. */
  afterCommit: (work: (session: Session) => Promise<unknown>) => void;
}

export function tenantCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--tenant <id>', 'whose', parseTenant, DEMO_TENANT_ID)
    .option('--json', 'print JSON');
}

export async function asTenant<T>(
  { tenant }: TenantOptions,
  work: (parts: TenantWork) => Promise<T>,
): Promise<T> {
  const configuration = loadConfiguration(
    [
      'DATABASE_URL',
      'STRATUM_PREFIX',
      'STRATUM_REPLICAS',
      'STRATUM_CREDENTIALS_KEY',
      'SCANNER_ALLOWED_HOSTS',
    ],
    await localEnvironment(),
  );
  const pool = openDatabase({ url: configuration.DATABASE_URL, name: 'stratum-cli', role: 'stratum_api' });
  try {
    return await withClient(async (session) => {
      await ensureAuditStream(session.connection, configuration);
      const later: ((session: Session) => Promise<unknown>)[] = [];
      const result = await withTenant(pool, tenant, async (database) => {
        const { rowCount } = await database.query('SELECT FROM tenant WHERE id = $1', [tenant]);
        if (rowCount === 0) throw new Error(`There is no tenant ${tenant}.`);
        return work({
          tenantId: tenant,
          database,
          keys: configuration.STRATUM_CREDENTIALS_KEY,
          allowedHosts: configuration.SCANNER_ALLOWED_HOSTS,
          afterCommit: (each) => later.push(each),
          tell: (action, id, details = {}) =>
            publishAudit(session.connection, configuration.STRATUM_PREFIX, {
              id: randomUUID(),
              tenant_id: tenant,
              actor: `cli/${userInfo().username}`,
              action,
              subject: `subscription/${id}`,
              details,
              occurred_at: new Date().toISOString(),
            }),
        });
      });
      for (const each of later) await each(session);
      return result;
    });
  } finally {
    await pool.end();
  }
}

export function unknownSubscription(id: string): Error {
  return new Error(`There is no subscription "${id}" there. See \`stratum subscriptions list --tenant …\`.`);
}

function parseTenant(text: string): number {
  const tenant = Number(text);
  if (Number.isSafeInteger(tenant) && tenant > 0) return tenant;
  throw new InvalidArgumentError('Give the number of a tenant.');
}
