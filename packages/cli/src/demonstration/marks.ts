/** Where demonstration data may be: in a database that is marked for them, and that has no tenants of customers. */
import { transaction, type Queryable } from '@stratum/shared';
import type { Pool } from 'pg';

/** Demonstration data were refused; nothing was written. */
export class SeedRefusedError extends Error {
  readonly code = 'seed_refused';

  constructor(message: string) {
    super(message);
    this.name = 'SeedRefusedError';
  }
}

/** Whether the database is marked for demonstration data. */
export async function isMarked(database: Queryable): Promise<boolean> {
  const { rows } = await database.query<{ marked: boolean }>(
    'SELECT is_demonstration AS marked FROM tenant WHERE id = 0',
  );
  return rows[0]?.marked === true;
}

async function customersIn(database: Queryable): Promise<number> {
  const { rows } = await database.query<{ count: string }>(
    'SELECT count(*) FROM tenant WHERE id > 0 AND NOT is_demonstration',
  );
  return Number(rows[0]?.count);
}

/**
 * Marks the database for demonstration data. Run as the owner of the database. Idempotent.
 * @throws SeedRefusedError if it has tenants of customers
 */
export function markForDemonstration(pool: Pool): Promise<void> {
  return transaction(pool, async (client) => {
    await lockTenants(client);
    if (await isMarked(client)) return;
    await refuseCustomers(client);
    await client.query('UPDATE tenant SET is_demonstration = true WHERE id = 0');
  });
}

/** Inside the caller's transaction; until it ends nobody adds a tenant. @throws SeedRefusedError */
export async function requireDemonstrationDatabase(client: Queryable): Promise<void> {
  await lockTenants(client);
  if (!(await isMarked(client)))
    throw new SeedRefusedError(
      'This database is not marked for demonstration data, so nothing was added. If it is for demonstrations alone, mark it: stratum seed --mark',
    );
  await refuseCustomers(client);
}

async function refuseCustomers(client: Queryable): Promise<void> {
  const customers = await customersIn(client);
  if (customers === 0) return;
  throw new SeedRefusedError(
    `This database has ${customers === 1 ? 'a tenant that is' : `${customers} tenants that are`} not for demonstration, so nothing was added. Use another database.`,
  );
}

async function lockTenants(client: Queryable): Promise<void> {
  await client.query('LOCK TABLE tenant IN SHARE ROW EXCLUSIVE MODE');
}
