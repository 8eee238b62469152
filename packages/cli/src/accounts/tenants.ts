/** Makes tenants, as the owner of the database, whom no row-level policy holds. */
import type { Pool } from 'pg';
import { withTenant } from '@stratum/shared';
import { TENANT_COLUMNS, toTenant, type Tenant, type TenantRow } from '@stratum/shared/tenants';

export type NewTenant = Pick<Tenant, 'name' | 'plan' | 'currency' | 'timeZone'>;

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
      `INSERT INTO tenant (id, name, currency, plan, time_zone) VALUES ($1, $2, $3, $4, $5) RETURNING ${TENANT_COLUMNS}`,
      [id, name, currency, plan, timeZone],
    );
    return rows.map(toTenant)[0] ?? failed();
  });
}

function failed(): never {
  throw new Error('The database returned no row for the inserted tenant.');
}
