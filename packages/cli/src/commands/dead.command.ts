import type { OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { taskIdArgument } from '../frame/places.js';
import { expiry, integer, json, time } from '../frame/value-types.js';

const filter: OptionDeclaration[] = [
  { flags: '--queue <queue>', description: 'only tasks of this queue' },
  { flags: '--task <task>', description: 'only tasks of this type' },
  { flags: '--tenant <id>', description: 'only tasks of this tenant' },
  {
    flags: '--reason <reason>',
    description: 'only tasks dead-lettered for this reason',
    choices: async () => (await import('@stratum/jobs')).DEAD_REASONS,
  },
  { flags: '--error <text>', description: 'only tasks whose error contains this text' },
  { flags: '--since <time>', description: 'only tasks dead-lettered at this time or later', type: time },
  { flags: '--until <time>', description: 'only tasks dead-lettered before this time', type: time },
];
const optionalId = { name: '[id]', description: 'id of the task' };
const all = { flags: '--all', description: 'every dead letter that matches the filter' };

export const deadCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: 'List, show, replay and discard dead letters: tasks that failed for good.',
  commands: [
    {
      name: 'list',
      summary: 'List dead letters, oldest first.',
      options: [
        ...filter,
        {
          flags: '--limit <count>',
          description: 'most dead letters to list',
          type: integer(1, 10_000),
          default: 50,
        },
        {
          flags: '--after <sequence>',
          description: 'the next page: the sequence that the page before printed',
          type: integer(0),
        },
      ],
      examples: ['--task sync_campaign_data --reason max_retries'],
      run: async () => (await import('./dead.js')).list,
    },
    {
      name: 'show',
      summary: 'Show a dead letter with its payload and attempts.',
      arguments: [taskIdArgument],
      examples: ['my-id-1'],
      run: async () => (await import('./dead.js')).show,
    },
    {
      name: 'replay',
      summary: 'Enqueue dead letters again with fresh retries: one, or all that match.',
      arguments: [optionalId],
      options: [
        ...filter,
        { flags: '--payload <json>', description: 'replace the payload', type: json },
        {
          flags: '--expires <time>',
          description:
            'new time after which the task is not started, or "never"; for tasks whose time has passed',
          type: expiry,
        },
        all,
        {
          flags: '--rate <count>',
          description: 'most replays per second',
          type: integer(1, 100_000),
          default: 2_000,
        },
      ],
      examples: [
        `my-id-1 --payload '{"tenant_id":1,"platform":"meta"}'`,
        '--all --task sync_campaign_data --rate 10',
      ],
      run: async () => (await import('./dead.js')).replay,
    },
    {
      name: 'edit',
      summary: 'Change the payload of a dead letter in your editor, see the difference, and replay it.',
      arguments: [taskIdArgument],
      options: [
        {
          flags: '--expires <time>',
          description: 'new time after which the task is not started, or "never"',
          type: expiry,
        },
        { flags: '--yes', description: 'do not ask for confirmation' },
      ],
      notes:
        'Sensitive values are shown as ***1, ***2 and so on, and stay as they are unless you give new ones. The editor is VISUAL, else EDITOR, else vi.',
      examples: ['my-id-1'],
      run: async () => (await import('./dead-edit.js')).edit,
    },
    {
      name: 'discard',
      summary: 'Delete dead letters: one, or all that match.',
      arguments: [optionalId],
      options: [...filter, all],
      examples: ['--all --reason invalid_payload'],
      run: async () => (await import('./dead.js')).discard,
    },
  ],
};
