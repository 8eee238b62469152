/** The tenants that a fan-out job works for. */
import type { Pool } from 'pg';

/** Ids only: a fan-out sees nothing else of a tenant. */
export async function activeTenants(pool: Pool): Promise<number[]> {
  const { rows } = await pool.query<{ tenant_id: string }>('SELECT tenant_id FROM active_tenants()');
  return rows.map(({ tenant_id: id }) => Number(id));
}
