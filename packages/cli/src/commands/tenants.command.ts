import type { TopLevelCommand } from '../frame/declaration.js';
import type { ArgumentDeclaration } from '../frame/declaration.js';
import { count, currency, integer, plainName, quotaValue, timeZone } from '../frame/value-types.js';

const id: ArgumentDeclaration = { name: '<id>', description: 'id of the tenant', type: count };
const MAX_GRACE_DAYS = 3_650;

export const tenantsCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Manage tenants.',
  commands: [
    {
      name: 'list',
      summary: 'List the tenants.',
      options: [{ flags: '--deleted', description: 'include deleted tenants' }],
      examples: ['', '--deleted'],
      run: async () => (await import('./tenants.js')).list,
    },
    {
      name: 'create',
      summary: 'Create a tenant.',
      arguments: [{ name: '<name>', description: 'name of the tenant', type: plainName }],
      options: [
        {
          flags: '--currency <code>',
          description: 'currency of its reports, an ISO 4217 code',
          type: currency,
          default: 'USD',
        },
        {
          flags: '--time-zone <zone>',
          description: 'its time zone, an IANA name',
          type: timeZone,
          default: 'UTC',
        },
        {
          flags: '--plan <plan>',
          description: 'plan whose limits the usage reports compare with: standard, growth or enterprise',
          default: 'standard',
        },
      ],
      examples: ['"Alpenglow Reisen" --currency EUR --time-zone Europe/Zurich'],
      run: async () => (await import('./tenants.js')).create,
    },
    {
      name: 'show',
      summary: 'Show a tenant.',
      arguments: [id],
      examples: ['1001'],
      run: async () => (await import('./tenants.js')).show,
    },
    {
      name: 'change',
      summary: 'Change the name, plan or time zone of a tenant.',
      description:
        'Limits of another plan hold within a minute. Days that are over stay days of the zone before.',
      arguments: [id],
      options: [
        { flags: '--name <name>', description: 'its name', type: plainName },
        {
          flags: '--plan <plan>',
          description: 'its plan',
          choices: async () => (await import('@stratum/shared/quotas')).PLAN_NAMES,
        },
        { flags: '--time-zone <zone>', description: 'its time zone, an IANA name', type: timeZone },
      ],
      examples: ['1001 --plan growth', '1001 --time-zone Europe/Zurich'],
      run: async () => (await import('./tenants.js')).change,
    },
    {
      name: 'delete',
      summary: 'Delete a tenant: it does nothing any more, and is erased after a grace time.',
      description:
        'Within a second or so its tasks, schedules, deliveries, webhooks and keys have no effect. Until the grace time is over, `tenants restore` brings it back.',
      arguments: [id],
      options: [
        {
          flags: '--grace-days <days>',
          description: 'days until its data are erased',
          type: integer(0, MAX_GRACE_DAYS),
          defaultText: 'TENANT_GRACE_DAYS, 30',
        },
        { flags: '--yes', description: 'do not ask for confirmation' },
      ],
      examples: ['1001', '1001 --grace-days 7 --yes'],
      run: async () => (await import('./tenants.js')).remove,
    },
    {
      name: 'restore',
      summary: 'Restore a deleted tenant within its grace time.',
      arguments: [id],
      examples: ['1001'],
      run: async () => (await import('./tenants.js')).restore,
    },
    {
      name: 'export',
      summary: 'Write all rows of a tenant as JSON lines.',
      description: 'Each line is {"table", "row"}. Secrets and hashes are left out.',
      arguments: [id],
      options: [
        {
          flags: '--out <file>',
          description: 'file to write, readable by you alone',
          defaultText: 'standard output',
        },
      ],
      json: 'print the number of rows as JSON; needs --out',
      examples: ['1001 --out tenant.jsonl'],
      run: async () => (await import('./tenants.js')).exportRows,
    },
    {
      name: 'quota',
      summary: 'Show the limits of a tenant, or set one.',
      description: 'A limit that is set holds within a minute, whatever the plan says.',
      arguments: [
        { name: '<tenant>', description: 'id of the tenant', type: count },
        {
          name: '[limit]',
          description: 'name of the limit',
          choices: async () => (await import('@stratum/shared/quotas')).QUOTA_NAMES,
        },
        { name: '[value]', description: 'the limit, or the word plan', type: quotaValue },
      ],
      examples: ['1', '1 waiting_tasks 50000', '1 waiting_tasks plan'],
      run: async () => (await import('./quotas.js')).quota,
    },
  ],
};
