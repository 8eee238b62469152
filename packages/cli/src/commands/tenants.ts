import { open } from 'node:fs/promises';
import { loadConfiguration } from '@stratum/shared';
import {
  changeTenant,
  deleteTenant,
  exportTenant,
  findTenant,
  listTenants,
  restoreTenant,
  type Tenant,
  type TenantChange,
} from '@stratum/shared/tenants';
import { differenceOf } from '@stratum/shared/audit';
import type { Pool } from 'pg';
import { createTenant } from '../accounts/tenants.js';
import { withPlatformClient } from '../client-session.js';
import { confirm } from '../confirm.js';
import { withDatabase } from '../database-session.js';
import { localEnvironment } from '../environment.js';
import { typed } from '../frame/invocation.js';
import { ago, flexible, printFacts, printJson, printTable } from '../output.js';
import { printData } from '../terminal.js';
import { keyRing, withPlatformAudit } from '../tenant-session.js';

interface CreateOptions {
  currency: string;
  timeZone: string;
  plan: string;
  json?: boolean;
}

interface Json {
  json?: boolean;
}

export async function list({ json, deleted = false }: Json & { deleted?: boolean }): Promise<void> {
  const tenants = await withDatabase({}, (owner) => listTenants(owner, { withDeleted: deleted }));
  if (json) printJson(tenants);
  else if (tenants.length === 0)
    console.log(`No tenants. Create one with: ${typed('tenants create <name>')}`);
  else
    printTable(
      ['id', flexible('name'), 'plan', 'currency', 'time zone', 'created', ...(deleted ? ['state'] : [])],
      tenants.map((tenant) => [
        String(tenant.id),
        tenant.name,
        tenant.plan,
        tenant.currency,
        tenant.timeZone,
        ago(tenant.createdAt),
        ...(deleted ? [stateOf(tenant)] : []),
      ]),
    );
}

export async function create(name: string, { json, ...options }: CreateOptions): Promise<void> {
  if (name.trim() === '') throw new Error('Give the tenant a name.');
  // No service may create tenants: it takes the owner of the database, as migrations do.
  const tenant = await withPlatformClient(async ({ record }) => {
    const made = await withDatabase({}, (owner) => createTenant(owner, { name: name.trim(), ...options }));
    const difference = differenceOf(undefined, made);
    await record({ action: 'tenant.created', subject: `tenant/${made.id}`, details: difference });
    return made;
  });
  if (json) {
    printJson(tenant);
    return;
  }
  console.log(`Created tenant ${tenant.id}, “${tenant.name}”.`);
  console.log(`Connect an ad account with: ${typed(`accounts connect meta <id> --tenant ${tenant.id}`)}`);
}

export async function show(id: number, { json }: Json): Promise<void> {
  const tenant = await withDatabase({}, (owner) => requireTenant(owner, id));
  if (json) {
    printJson(tenant);
    return;
  }
  printTenant(tenant);
}

function printTenant(tenant: Tenant): void {
  printFacts([
    ['id', tenant.id],
    ['name', tenant.name],
    ['state', stateOf(tenant)],
    ['plan', tenant.plan],
    ['currency', tenant.currency],
    ['time zone', tenant.timeZone],
    ['demonstration', tenant.isDemonstration ? 'yes' : 'no'],
    ['created', tenant.createdAt.toISOString()],
    ['deleted', tenant.deletedAt?.toISOString() ?? null],
    ['erased after', tenant.eraseAfter?.toISOString() ?? null],
    ['erased', tenant.erasedAt?.toISOString() ?? null],
  ]);
}

export async function change(id: number, { json, ...wanted }: Json & TenantChange): Promise<void> {
  const changed = await withPlatformAudit('tenant', async (pool, audit) => {
    const before = await requireTenant(pool, id);
    await audit('tenant.changed', id, differenceOf(before, { ...before, ...wanted }));
    return changeTenant(pool, id, wanted);
  });
  if (changed === undefined) throw new Error(`The tenant ${id} has been erased.`);
  if (json) printJson(changed);
  else printTenant(changed);
}

export async function remove(
  id: number,
  { json, yes, graceDays: given }: Json & { yes?: boolean; graceDays?: number },
): Promise<void> {
  const graceDays =
    given ?? loadConfiguration(['TENANT_GRACE_DAYS'], await localEnvironment()).TENANT_GRACE_DAYS;
  const deleted = await withPlatformAudit('tenant', (pool, audit) =>
    withDatabase({}, async (owner) => {
      const { name } = await requireTenant(owner, id);
      const warning = `This stops everything of tenant ${id}, “${name}”, and erases it after ${graceDays} days. Type the name of the tenant to confirm: `;
      if (!yes && !(await confirm(warning, name))) throw new Error('Nothing was deleted.');
      await audit('tenant.deleted', id, { grace_days: graceDays });
      const tenant = await deleteTenant(pool, { id, graceDays });
      if (tenant === undefined) throw new Error(`The tenant ${id} has been erased.`);
      return tenant;
    }),
  );
  if (json) {
    printJson(deleted);
    return;
  }
  console.log(`Deleted tenant ${id}. Its data are erased after ${deleted.eraseAfter?.toISOString() ?? '-'}.`);
  console.log(`Until then, restore it with: ${typed(`tenants restore ${id}`)}`);
}

export async function restore(id: number, { json }: Json): Promise<void> {
  const restored = await withPlatformAudit('tenant', async (pool, audit) => {
    await requireTenant(pool, id);
    await audit('tenant.restored', id);
    return restoreTenant(pool, id);
  });
  if (restored === undefined)
    throw new Error(`The grace time of tenant ${id} is over: it is being erased, or has been.`);
  if (json) printJson(restored);
  else console.log(`Restored tenant ${id}, “${restored.name}”.`);
}

export async function exportRows(id: number, { json, out }: Json & { out?: string }): Promise<void> {
  if (json && out === undefined)
    throw new Error('Give a file for the rows with --out, so that the JSON can be told from them.');
  const keys = await keyRing();
  const rows = await withPlatformAudit('tenant', async (pool, audit) => {
    await requireTenant(pool, id);
    await audit('tenant.exported', id);
    const file = out === undefined ? undefined : await open(out, 'wx', 0o600);
    const write = async (line: string): Promise<void> => {
      if (file === undefined) await printData(line);
      else await file.write(line);
    };
    try {
      return await exportTenant(pool, keys, id, (row) => write(`${JSON.stringify(row)}\n`));
    } finally {
      await file?.close();
    }
  });
  if (json) printJson({ tenant: id, rows, file: out });
  else console.error(`Exported ${rows} rows of tenant ${id}.`);
}

async function requireTenant(database: Pool, id: number): Promise<Tenant> {
  const tenant = await findTenant(database, id);
  if (tenant === undefined) throw new Error(`There is no tenant ${id}.`);
  return tenant;
}

function stateOf({ deletedAt, eraseAfter, erasedAt }: Tenant): string {
  if (erasedAt !== null) return 'erased';
  if (deletedAt === null) return 'active';
  return eraseAfter !== null && eraseAfter <= new Date() ? 'being erased' : 'deleted';
}
