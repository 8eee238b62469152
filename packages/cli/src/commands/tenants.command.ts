import type { TopLevelCommand } from '../frame/declaration.js';
import { currency, timeZone } from '../frame/value-types.js';

export const tenantsCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Manage tenants.',
  commands: [
    {
      name: 'list',
      summary: 'List the tenants.',
      examples: [''],
      run: async () => (await import('./tenants.js')).list,
    },
    {
      name: 'create',
      summary: 'Create a tenant.',
      arguments: [{ name: '<name>', description: 'name of the tenant' }],
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
  ],
};
