/** Tenants, for those who run the platform: as the owner of the database, whom no row-level policy holds. */
import type { Pool } from 'pg';
import { withTenant } from '@stratum/shared';

export interface Tenant {
  id: number;
  name: string;
  plan: string;
  currency: string;
  timeZone: string;
  createdAt: Date;
}

export type NewTenant = Pick<Tenant, 'name' | 'plan' | 'currency' | 'timeZone'>;

interface TenantRow {
  id: string;
  name: string;
  plan: string;
  currency: string;
  time_zone: string;
  created_at: Date;
}

const COLUMNS = 'id, name, plan, currency, time_zone, created_at';

/** Those that were not deleted, without the platform itself. */
export async function listTenants(owner: Pool): Promise<Tenant[]> {
  const { rows } = await owner.query<TenantRow>(
    `SELECT ${COLUMNS} FROM tenant WHERE deleted_at IS NULL AND id > 0 ORDER BY id`,
  );
  return rows.map(fromRow);
}

export async function createTenant(
  owner: Pool,
  { name, plan, currency, timeZone }: NewTenant,
): Promise<Tenant> {
  // Ids up to 1000 belong to demonstrations; one that was inserted by hand is unknown to the sequence.
  const next = await owner.query<{ id: string }>(
    `SELECT setval(sequence, greatest(nextval(sequence), (SELECT max(id) + 1 FROM tenant))) AS id
     FROM pg_get_serial_sequence('tenant', 'id') AS sequence`,
  );
  const id = Number(next.rows[0]?.id);
  return withTenant(owner, id, async (client) => {
    const { rows } = await client.query<TenantRow>(
      `INSERT INTO tenant (id, name, plan, currency, time_zone) VALUES ($1, $2, $3, $4, $5) RETURNING ${COLUMNS}`,
      [id, name, plan, currency, timeZone],
    );
    return rows.map(fromRow)[0] ?? failed();
  });
}

function fromRow(row: TenantRow): Tenant {
  return {
    id: Number(row.id),
    name: row.name,
    plan: row.plan,
    currency: row.currency,
    timeZone: row.time_zone,
    createdAt: row.created_at,
  };
}

function failed(): never {
  throw new Error('The database returned no row for the inserted tenant.');
}
