/** `stratum dashboard-users`. */
import { PLATFORM_TENANT_ID, withTenant } from '@stratum/shared';
import {
  addDashboardUser,
  changeDashboardUser,
  emailSchema,
  listDashboardUsers,
  type DashboardUser,
  type Role,
} from '@stratum/shared/dashboard-users';
import type { Pool } from 'pg';
import { withDatabase } from '../database-session.js';
import { typed } from '../frame/invocation.js';
import { ago, flexible, printJson, printTable } from '../output.js';
import { withTenantPool } from '../tenant-session.js';

interface Options {
  tenant?: number;
  role?: Role;
  json?: boolean;
}

const ROLE_OF_SERVICE = 'stratum_dashboard';

export async function list({ tenant, json }: Options): Promise<void> {
  const users = await withDatabase({ role: ROLE_OF_SERVICE }, (pool) => listDashboardUsers(pool, tenant));
  if (json) printJson(users);
  else if (users.length === 0)
    console.log(`Nobody. Add somebody with: ${typed('dashboard-users add <email> --role operator')}`);
  else
    printTable(
      [flexible('e-mail'), 'role', 'of', 'last sign-in', 'state'],
      users.map((user) => [
        user.email,
        user.by_group ? `${user.role} (by group)` : user.role,
        user.tenant_id === null ? 'platform' : `tenant ${user.tenant_id}`,
        user.last_sign_in_at === null ? 'never' : ago(new Date(user.last_sign_in_at)),
        user.disabled_at === null ? 'active' : `locked ${ago(new Date(user.disabled_at))}`,
      ]),
    );
}

export async function add(
  text: string,
  { role = 'viewer', tenant = PLATFORM_TENANT_ID, json }: Options,
): Promise<void> {
  const email = parsed(text);
  const user = await withTenantPool(sessionOf(tenant), (pool, audit) =>
    withTenant(pool, tenant, async (client) => {
      const added = await addDashboardUser(client, { tenantId: tenant, email, role });
      await audit('person.added', added.id, { role });
      return added;
    }),
  );
  if (json) printJson(user);
  else console.log(`${email} may sign in as ${role} of ${placeOf(user)}.`);
}

export async function change(
  text: string,
  { role, lock = false, unlock = false, json }: Options & { lock?: boolean; unlock?: boolean },
): Promise<void> {
  const email = parsed(text);
  if (lock && unlock) throw new Error('Give --lock or --unlock, not both.');
  if (role === undefined && !lock && !unlock)
    throw new Error('Say what changes: --role, --lock or --unlock.');
  const wanted = { role, disabled: lock ? true : unlock ? false : undefined };
  const before = await withDatabase({ role: ROLE_OF_SERVICE }, (pool) => existing(pool, email));
  if (before.by_group && role !== undefined)
    throw new Error('A group of the provider sets the role of this person. Change the group.');
  const tenant = before.tenant_id ?? PLATFORM_TENANT_ID;
  const after = await withTenantPool(sessionOf(tenant), (pool, audit) =>
    withTenant(pool, tenant, async (client) => {
      await audit('person.changed', before.id, {
        before: { role: before.role, disabled: before.disabled_at !== null },
        after: { role: role ?? before.role, disabled: wanted.disabled ?? before.disabled_at !== null },
      });
      return changeDashboardUser(client, before.id, wanted);
    }),
  );
  if (after === undefined) throw unknown(email);
  if (json) printJson(after);
  else if (after.disabled_at !== null) console.log(`${email} is locked out; all sessions have ended.`);
  else console.log(`${email} may sign in as ${after.role} of ${placeOf(after)}.`);
}

const sessionOf = (tenant: number): Parameters<typeof withTenantPool>[0] => ({
  tenant,
  subject: 'person',
  role: ROLE_OF_SERVICE,
});

async function existing(pool: Pool, email: string): Promise<DashboardUser> {
  const user = (await listDashboardUsers(pool, undefined)).find((each) => each.email === email);
  if (user === undefined) throw unknown(email);
  return user;
}

function parsed(text: string): string {
  const email = emailSchema.safeParse(text);
  if (!email.success) throw new Error(`"${text}" is not an e-mail address.`);
  return email.data;
}

function placeOf({ tenant_id: tenant }: DashboardUser): string {
  return tenant === null ? 'the platform' : `the tenant ${tenant}`;
}

function unknown(email: string): Error {
  return new Error(
    `Nobody with the address ${email} may sign in. List who may with: ${typed('dashboard-users list')}`,
  );
}
