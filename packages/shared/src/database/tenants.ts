/** The tenants that a fan-out job works for, and the one that is none. */
import type { Pool } from 'pg';

/** Stands for the platform itself where something belongs to a tenant: its keys, its audit events. No job works for it. */
export const PLATFORM_TENANT_ID = 0;

/** Ids only: a fan-out sees nothing else of a tenant. */
export async function activeTenants(pool: Pool): Promise<number[]> {
  const { rows } = await pool.query<{ tenant_id: string }>('SELECT tenant_id FROM active_tenants()');
  return rows.map(({ tenant_id: id }) => Number(id));
}

export interface CompleteDay {
  tenantId: number;
  /** YYYY-MM-DD. */
  date: string;
}

/** Each tenant's last day that is over where its ad accounts are; without an account, where the tenant is. */
export async function lastCompleteDays(pool: Pool, at: Date): Promise<CompleteDay[]> {
  const { rows } = await pool.query<{ tenant_id: string; date: string }>(
    'SELECT tenant_id, date::text FROM last_complete_days($1)',
    [at],
  );
  return rows.map(({ tenant_id: id, date }) => ({ tenantId: Number(id), date }));
}
