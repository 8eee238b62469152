import type { ArgumentDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { tenantOption } from '../frame/places.js';

const account: readonly ArgumentDeclaration[] = [
  {
    name: '<platform>',
    description: 'ad platform of the account',
    choices: async () => (await import('@stratum/connectors/ad-platforms')).PLATFORM_NAMES,
  },
  { name: '<id>', description: 'id of the account, as the platform shows it' },
];

export const accountsCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Manage ad accounts.',
  commands: [
    {
      name: 'list',
      summary: 'List the ad accounts of a tenant.',
      options: [tenantOption],
      examples: ['--tenant 1'],
      run: async () => (await import('./accounts.js')).list,
    },
    {
      name: 'connect',
      summary: 'Connect an ad account, or replace its credentials.',
      description:
        "Asks the platform for the account's name, currency and time zone first, and stores nothing when it refuses.",
      arguments: account,
      options: [
        tenantOption,
        {
          flags: '--credentials <file>',
          description: 'JSON file with the credentials; - reads standard input',
          default: '-',
        },
        { flags: '--no-sync', description: 'do not sync its campaigns right away' },
      ],
      examples: ['meta act_1234567890 --tenant 1 --credentials meta.json'],
      notes: async () => (await import('./accounts.js')).credentialFormats(),
      run: async () => (await import('./accounts.js')).connect,
    },
    {
      name: 'conversions',
      summary: 'Choose what counts as a conversion of an ad account.',
      description:
        'The actions are added up. Without any, each campaign counts what its objective is about. The next sync counts the days anew over which the platform still attributes conversions; days before keep what was counted then.',
      arguments: [
        ...account,
        { name: '[actions...]', description: 'conversion actions, as the platform names them' },
      ],
      options: [
        tenantOption,
        { flags: '--by-objective', description: 'let the objective of each campaign decide again' },
        { flags: '--no-sync', description: 'do not sync its campaigns right away' },
      ],
      examples: [
        'meta act_1234567890 omni_purchase offsite_conversion.custom.123 --tenant 1',
        'meta act_1234567890 --by-objective --tenant 1',
      ],
      notes: async () => (await import('./accounts.js')).conversionFormats(),
      run: async () => (await import('./accounts.js')).conversions,
    },
    {
      name: 'disconnect',
      summary: 'Delete the credentials of an ad account. Its campaigns and their history remain.',
      arguments: account,
      options: [tenantOption],
      examples: ['meta 1234567890 --tenant 1'],
      run: async () => (await import('./accounts.js')).disconnect,
    },
  ],
};
