import type { ArgumentDeclaration, CommandDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { definitionFile, tenantOption } from '../frame/places.js';
import { integer } from '../frame/value-types.js';

const name: ArgumentDeclaration = { name: '<name>', description: 'name of the rule' };
const EXAMPLE = '"Pause what loses money" --tenant 1';
/** Largest value of the column. */
const MAX_PRIORITY = 2_147_483_647;

const change = (verb: 'pause' | 'resume', summary: string): CommandDeclaration => ({
  name: verb,
  summary,
  arguments: [name],
  options: [tenantOption],
  examples: [EXAMPLE],
  run: async () => (await import('./rules.js'))[verb],
});

export const rulesCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Manage automation rules of campaigns.',
  commands: [
    {
      name: 'list',
      summary: 'List the rules of a tenant, highest priority first.',
      options: [tenantOption],
      examples: ['--tenant 1'],
      run: async () => (await import('./rules.js')).list,
    },
    {
      name: 'show',
      summary: 'Show a rule and its latest matches: the values, and the actions taken.',
      arguments: [name],
      options: [
        tenantOption,
        {
          flags: '--last <count>',
          description: 'most matches to show',
          type: integer(1, 10_000),
          default: 20,
        },
      ],
      examples: [EXAMPLE],
      run: async () => (await import('./rules.js')).show,
    },
    {
      name: 'save',
      summary: 'Create a rule, or replace the definition of an existing one.',
      arguments: [name, definitionFile('docs/operate/rules.md')],
      options: [
        tenantOption,
        {
          flags: '--status <status>',
          description: 'default: draft for a new rule, unchanged for an existing one',
          choices: async () => (await import('@stratum/shared/rules')).RULE_STATUSES,
        },
        {
          flags: '--priority <number>',
          description:
            'of two rules that contradict each other, the one with the higher priority decides; default: 0 for a new rule, unchanged for an existing one',
          type: integer(-MAX_PRIORITY, MAX_PRIORITY),
        },
      ],
      examples: ['"Pause what loses money" rule.json --tenant 1 --status active'],
      run: async () => (await import('./rules.js')).save,
    },
    {
      name: 'dry-run',
      summary: 'Show on which of the last 28 days a rule would have acted on which campaigns.',
      description: 'Takes a draft, too. Nothing is changed; a worker of the queue rules has to run.',
      arguments: [name],
      options: [tenantOption],
      examples: [EXAMPLE],
      run: async () => (await import('./rules.js')).dryRun,
    },
    change('pause', 'Stop evaluating a rule until it is resumed.'),
    change('resume', 'Evaluate a rule from now on.'),
    {
      name: 'remove',
      summary: 'Remove a rule. What it did stays in the history of its campaigns.',
      arguments: [name],
      options: [tenantOption],
      examples: [EXAMPLE],
      run: async () => (await import('./records.js')).removeOf('rules'),
    },
  ],
};
