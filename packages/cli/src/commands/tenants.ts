import { createTenant, listTenants } from '../accounts/tenants.js';
import { withDatabase } from '../database-session.js';
import { typed } from '../frame/invocation.js';
import { ago, flexible, printJson, printTable } from '../output.js';

interface CreateOptions {
  currency: string;
  timeZone: string;
  plan: string;
  json?: boolean;
}

export async function list({ json }: { json?: boolean }): Promise<void> {
  const tenants = await withDatabase({}, listTenants);
  if (json) printJson(tenants);
  else if (tenants.length === 0)
    console.log(`No tenants. Create one with: ${typed('tenants create <name>')}`);
  else
    printTable(
      ['id', flexible('name'), 'plan', 'currency', 'time zone', 'created'],
      tenants.map(({ id, name, plan, currency, timeZone, createdAt }) => [
        String(id),
        name,
        plan,
        currency,
        timeZone,
        ago(createdAt),
      ]),
    );
}

export async function create(name: string, { json, ...options }: CreateOptions): Promise<void> {
  if (name.trim() === '') throw new Error('Give the tenant a name.');
  // No service may create tenants: it takes the owner of the database, as migrations do.
  const tenant = await withDatabase({}, (owner) => createTenant(owner, { name: name.trim(), ...options }));
  if (json) {
    printJson(tenant);
    return;
  }
  console.log(`Created tenant ${tenant.id}, “${tenant.name}”.`);
  console.log(`Connect an ad account with: ${typed(`accounts connect meta <id> --tenant ${tenant.id}`)}`);
}
