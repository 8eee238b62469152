import { loadConfiguration, openDatabase } from '@stratum/shared';
import { createTenant, listTenants } from '../accounts/tenants.js';
import { Command, InvalidArgumentError } from 'commander';
import type { Pool } from 'pg';
import { localEnvironment } from '../environment.js';
import { printJson, printTable } from '../output.js';

interface CreateOptions {
  currency: string;
  timeZone: string;
  plan: string;
  json?: boolean;
}

export function tenantsCommand(): Command {
  return new Command('tenants')
    .description('Manage tenants.')
    .addCommand(
      new Command('list')
        .description('List the tenants.')
        .option('--json', 'print JSON')
        .addHelpText('after', '\nExample:\n  stratum tenants list')
        .action(async ({ json }: { json?: boolean }) => {
          const tenants = await asOwner(listTenants);
          if (json) printJson(tenants);
          else if (tenants.length === 0)
            console.log('There are no tenants. Make one with `stratum tenants create`.');
          else
            printTable(
              ['id', 'name', 'plan', 'currency', 'time zone', 'made'],
              tenants.map(({ id, name, plan, currency, timeZone, createdAt }) => [
                id,
                name,
                plan,
                currency,
                timeZone,
                createdAt.toISOString(),
              ]),
            );
        }),
    )
    .addCommand(
      new Command('create')
        .description('Make a tenant.')
        .argument('<name>', 'what it is called')
        .option('--currency <code>', 'what its reports are in, ISO 4217', parseCurrency, 'USD')
        .option('--time-zone <zone>', 'where it is at home, an IANA time zone', parseTimeZone, 'UTC')
        .option('--plan <plan>', 'what it may use; see PLAN_LIMITS', 'standard')
        .option('--json', 'print JSON')
        .addHelpText(
          'after',
          '\nExample:\n  stratum tenants create "Alpenglow Reisen" --currency EUR --time-zone Europe/Zurich',
        )
        .action(async (name: string, { json, ...options }: CreateOptions) => {
          if (name.trim() === '') throw new Error('Give the tenant a name.');
          const tenant = await asOwner((owner) => createTenant(owner, { name: name.trim(), ...options }));
          if (json) printJson(tenant);
          else
            console.log(
              `Made tenant ${tenant.id}, “${tenant.name}”. Next: stratum accounts connect meta <id> --tenant ${tenant.id}`,
            );
        }),
    );
}

/** No service may make tenants: it takes the database's owner, as migrations do. */
async function asOwner<T>(work: (owner: Pool) => Promise<T>): Promise<T> {
  const { DATABASE_URL: url } = loadConfiguration(['DATABASE_URL'], await localEnvironment());
  const owner = openDatabase({ url, name: 'stratum-cli' });
  try {
    return await work(owner);
  } finally {
    await owner.end();
  }
}

function parseCurrency(text: string): string {
  const code = text.toUpperCase();
  if (Intl.supportedValuesOf('currency').includes(code)) return code;
  throw new InvalidArgumentError('Give a currency of ISO 4217, for example EUR.');
}

function parseTimeZone(text: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    throw new InvalidArgumentError('Give an IANA time zone, for example Europe/Zurich.');
  }
}
