/** Tenants as those see them who run the platform: listed, deleted, restored. As the owner of the database, or as `stratum_api`. */
import type { Queryable } from '../database/database.js';

/** Whether it is the name of an IANA time zone. */
export function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

export interface Tenant {
  id: number;
  name: string;
  plan: string;
  currency: string;
  timeZone: string;
  isDemonstration: boolean;
  createdAt: Date;
  /** From then on it does nothing any more. */
  deletedAt: Date | null;
  /** When its data are erased, unless it is restored before. */
  eraseAfter: Date | null;
  erasedAt: Date | null;
}

export interface TenantRow {
  id: string;
  name: string;
  plan: string;
  currency: string;
  time_zone: string;
  is_demonstration: boolean;
  created_at: Date;
  deleted_at: Date | null;
  erase_after: Date | null;
  erased_at: Date | null;
}

export const TENANT_COLUMNS =
  'id, name, plan, currency, time_zone, is_demonstration, created_at, deleted_at, erase_after, erased_at';

export function toTenant(row: TenantRow): Tenant {
  return {
    id: Number(row.id),
    name: row.name,
    plan: row.plan,
    currency: row.currency,
    timeZone: row.time_zone,
    isDemonstration: row.is_demonstration,
    createdAt: row.created_at,
    deletedAt: row.deleted_at,
    eraseAfter: row.erase_after,
    erasedAt: row.erased_at,
  };
}

/** By their ids, without the platform itself. */
export async function listTenants(
  database: Queryable,
  { withDeleted = false }: { withDeleted?: boolean } = {},
): Promise<Tenant[]> {
  const { rows } = await database.query<TenantRow>(
    `SELECT ${TENANT_COLUMNS} FROM all_tenants() WHERE $1 OR deleted_at IS NULL ORDER BY id`,
    [withDeleted],
  );
  return rows.map(toTenant);
}

export async function findTenant(database: Queryable, id: number): Promise<Tenant | undefined> {
  const { rows } = await database.query<TenantRow>(
    `SELECT ${TENANT_COLUMNS} FROM all_tenants() WHERE id = $1`,
    [id],
  );
  return rows.map(toTenant)[0];
}

export interface TenantChange {
  name?: string | undefined;
  plan?: string | undefined;
  timeZone?: string | undefined;
}

/** What is not given stays. `undefined`: there is none, or it has been erased. */
export async function changeTenant(
  database: Queryable,
  id: number,
  { name, plan, timeZone }: TenantChange,
): Promise<Tenant | undefined> {
  const { rows } = await database.query<TenantRow>(
    `SELECT ${TENANT_COLUMNS} FROM change_tenant($1, $2, $3, $4)`,
    [id, name ?? null, plan ?? null, timeZone ?? null],
  );
  return rows.map(toTenant)[0];
}

/**
 * It does nothing any more, within a second or so, and can be restored for so many days. Repeated, it sets another end of that time.
 * `undefined`: there is none, or it has been erased.
 */
export async function deleteTenant(
  database: Queryable,
  { id, graceDays }: { id: number; graceDays: number },
): Promise<Tenant | undefined> {
  const { rows } = await database.query<TenantRow>(
    `SELECT ${TENANT_COLUMNS} FROM delete_tenant($1, make_interval(secs => $2 * 86400))`,
    [id, graceDays],
  );
  return rows.map(toTenant)[0];
}

/** `undefined`: there is none, or its grace time is over. */
export async function restoreTenant(database: Queryable, id: number): Promise<Tenant | undefined> {
  const { rows } = await database.query<TenantRow>(`SELECT ${TENANT_COLUMNS} FROM restore_tenant($1)`, [id]);
  return rows.map(toTenant)[0];
}
