/** The table of people who sign in to the dashboard. Every change is made inside the caller's transaction, as the tenant. */
import type { Queryable } from '../database/database.js';
import { z } from 'zod';
import { randomId } from '../random-id.js';
import { ROLES, type Role } from './roles.js';

const ID_LENGTH = 16;
const MAX_EMAIL = 254;
/** More are not listed. */
const MAX_LISTED = 1_000;

export const emailSchema = z
  .email('must be an e-mail address')
  .max(MAX_EMAIL)
  .transform((email) => email.toLowerCase());

const time = z.iso.datetime();
export const dashboardUserSchema = z
  .object({
    id: z.string(),
    tenant_id: z.int().nullable().describe("`null`: the platform's."),
    email: z.string(),
    role: z.enum(ROLES),
    by_group: z
      .boolean()
      .describe('A group of the provider brought the person, and sets the role at each sign-in.'),
    created_at: time,
    last_sign_in_at: time.nullable(),
    disabled_at: time.nullable(),
  })
  .meta({ id: 'Person' });
export type DashboardUser = z.output<typeof dashboardUserSchema>;

/** What the caller may do about it is in the message. */
export class DashboardUserError extends Error {
  constructor(
    readonly code: 'email_taken' | 'no_tenant',
    message: string,
  ) {
    super(message);
    this.name = 'DashboardUserError';
  }
}

interface UserRow {
  id: string;
  tenant_id: string;
  email: string;
  role: Role;
  by_group: boolean;
  created_at: Date;
  last_sign_in_at: Date | null;
  disabled_at: Date | null;
}

const COLUMNS = 'id, tenant_id, email, role, by_group, created_at, last_sign_in_at, disabled_at';

/** The person signs in with this address, once the provider says that it is theirs. @throws DashboardUserError */
export async function addDashboardUser(
  client: Queryable,
  { tenantId, email, role }: { tenantId: number; email: string; role: Role },
): Promise<DashboardUser> {
  const { rows: places } = await client.query<{ is_open: boolean }>(
    'SELECT takes_dashboard_users($1) AS is_open',
    [tenantId],
  );
  if (places[0]?.is_open !== true)
    throw new DashboardUserError('no_tenant', `There is no tenant ${tenantId}.`);
  const { rows } = await client.query<UserRow>(
    `INSERT INTO dashboard_user (tenant_id, id, email, role) VALUES ($1, $2, $3, $4) ON CONFLICT (email) DO NOTHING RETURNING ${COLUMNS}`,
    [tenantId, randomId(ID_LENGTH), email, role],
  );
  const [user] = rows.map(toUser);
  if (user === undefined)
    throw new DashboardUserError(
      'email_taken',
      `Somebody with the address ${email} signs in already. Change that person instead.`,
    );
  return user;
}

/** @param tenantId `undefined`: of the platform and all tenants */
export async function listDashboardUsers(
  client: Queryable,
  tenantId: number | undefined,
): Promise<DashboardUser[]> {
  const { rows } = await client.query<UserRow>(`SELECT ${COLUMNS} FROM dashboard_people($1, $2)`, [
    tenantId ?? null,
    MAX_LISTED,
  ]);
  return rows.map(toUser);
}

/** Holds from the person's next request on. `undefined` when the tenant has no such person. */
export async function changeDashboardUser(
  client: Queryable,
  id: string,
  { role, disabled }: { role?: Role | undefined; disabled?: boolean | undefined },
): Promise<DashboardUser | undefined> {
  const { rows } = await client.query<UserRow>(
    `UPDATE dashboard_user SET role = coalesce($2, role),
       disabled_at = CASE WHEN $3::boolean IS NULL THEN disabled_at WHEN $3 THEN coalesce(disabled_at, now()) END
     WHERE tenant_id = current_tenant() AND id = $1 RETURNING ${COLUMNS}`,
    [id, role ?? null, disabled ?? null],
  );
  return rows.map(toUser)[0];
}

function toUser(row: UserRow): DashboardUser {
  const tenantId = Number(row.tenant_id);
  return {
    id: row.id,
    tenant_id: tenantId === 0 ? null : tenantId,
    email: row.email,
    role: row.role,
    by_group: row.by_group,
    created_at: row.created_at.toISOString(),
    last_sign_in_at: row.last_sign_in_at?.toISOString() ?? null,
    disabled_at: row.disabled_at?.toISOString() ?? null,
  };
}
