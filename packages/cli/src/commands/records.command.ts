import { withArticle } from '@stratum/jobs/bounds';
import type {
  ArgumentDeclaration,
  CommandDeclaration,
  OptionDeclaration,
  TopLevelCommand,
} from '../frame/declaration.js';
import { tenantOption } from '../frame/places.js';
import { count, field, jsonObject } from '../frame/value-types.js';

const group = 'Tenants and their data';
const id: ArgumentDeclaration = { name: '<id>', description: 'id, as the list shows it', type: count };
const fields: ArgumentDeclaration = {
  name: '[fields]',
  description: 'fields, a JSON object; default: {}',
  type: jsonObject,
};
const options: readonly OptionDeclaration[] = [
  tenantOption,
  { flags: '-f, --field <name=value...>', description: 'set a field; adds to the JSON object', type: field },
  {
    flags: '--input <file>',
    description: 'JSON file with further fields, such as secrets; - reads standard input',
  },
];

/** @param path of the kind. @param names of its commands */
function commandsOf(
  path: string,
  noun: string,
  plural: string,
  names: Readonly<Record<'list' | 'show' | 'add' | 'change', string>>,
  example: string,
  changeExample = '1 -f status=paused',
): CommandDeclaration[] {
  const notes = async (): Promise<string> => (await import('./records.js')).fieldsHelp(path);
  return [
    {
      name: names.list,
      summary: `List ${plural} of a tenant.`,
      options: [tenantOption],
      examples: ['--tenant 1'],
      run: async () => (await import('./records.js')).listOf(path),
    },
    {
      name: names.show,
      summary: `Show ${withArticle(noun)}.`,
      arguments: [id],
      options: [tenantOption],
      examples: ['1 --tenant 1'],
      run: async () => (await import('./records.js')).showOf(path),
    },
    {
      name: names.add,
      summary: `Add ${withArticle(noun)}.`,
      arguments: [fields],
      options,
      examples: [`${example} --tenant 1`],
      notes,
      run: async () => (await import('./records.js')).addOf(path),
    },
    {
      name: names.change,
      summary: `Change fields of ${withArticle(noun)}.`,
      arguments: [id, fields],
      options,
      examples: [`${changeExample} --tenant 1`],
      notes,
      run: async () => (await import('./records.js')).changeOf(path),
    },
  ];
}

function named(noun: string, plural: string): Readonly<Record<'list' | 'show' | 'add' | 'change', string>> {
  return { list: plural, show: `show-${noun}`, add: `add-${noun}`, change: `change-${noun}` };
}

function member(path: string, noun: string, example: string): CommandDeclaration[] {
  return commandsOf(path, noun, `${noun}s`, named(noun, `${noun}s`), example);
}

export const competitorsCommand: TopLevelCommand = {
  group,
  summary: 'Manage competitors, whose sites and ads are read every six hours.',
  commands: commandsOf(
    'competitors',
    'competitor',
    'competitors',
    { list: 'list', show: 'show', add: 'add', change: 'change' },
    '-f name=Acme -f website=https://acme.example',
  ),
};

export const sharedCostsCommand: TopLevelCommand = {
  group,
  summary: 'Manage costs that no campaign caused alone: they are spread over the campaigns of their month.',
  commands: [
    ...commandsOf(
      'shared-costs',
      'shared cost',
      'shared costs',
      { list: 'list', show: 'show', add: 'add', change: 'change' },
      '-f name="Agency fee" -f month=2026-11 -f currency=EUR -f amount=1200.50 -f spread_by=spend',
      '1 -f amount=1500',
    ),
    {
      name: 'remove',
      summary: 'Remove a shared cost. Days that were allocated keep their share.',
      arguments: [id],
      options: [tenantOption],
      examples: ['1 --tenant 1'],
      run: async () => (await import('./records.js')).removeOf('shared-costs'),
    },
  ],
};

export const cmsCommand: TopLevelCommand = {
  group,
  summary: 'Manage WordPress sites and the posts that are published on them.',
  commands: [
    ...member(
      'cms/sites',
      'site',
      '-f base_url=https://blog.example.com -f user_name=editor --input password.json',
    ),
    ...member('cms/posts', 'post', '-f site_id=1 -f slug=boots -f title=Boots --input post.json'),
  ],
};

export const whatsappCommand: TopLevelCommand = {
  group,
  summary: 'Manage WhatsApp numbers, contacts, templates and messages.',
  commands: [
    ...member('whatsapp/accounts', 'account', '-f phone_number_id=100200300 --input token.json'),
    ...member(
      'whatsapp/contacts',
      'contact',
      `'{"phone":"+49 151 0000001","opted_in_at":"2026-11-29T12:00:00Z"}'`,
    ),
    ...member('whatsapp/templates', 'template', '-f name=winter_sale -f language=en -f status=approved'),
    ...member('whatsapp/messages', 'message', '-f account_id=1 -f contact_id=1 -f template_id=1'),
  ],
};
