import { join } from 'node:path';
import type { TopLevelCommand } from '../frame/declaration.js';
import { ROOT } from '../stack/home.js';

export const helpCommand: TopLevelCommand = {
  group: 'This command',
  summary: 'Show the help of a command.',
  arguments: [{ name: '[command...]', description: 'words of the command, such as schedules add' }],
  json: false,
  examples: ['schedules add'],
  run: async () => (await import('../frame/help.js')).showHelp,
};

export const referenceCommand: TopLevelCommand = {
  group: 'This command',
  hidden: true,
  summary: 'Write the reference pages of the commands and the ad platforms.',
  options: [
    {
      flags: '--out <folder>',
      description: 'folder to write to',
      default: join(ROOT, 'docs', 'reference'),
      defaultText: 'docs/reference',
    },
    { flags: '--check', description: 'write nothing; fail when a page is out of date' },
  ],
  examples: [],
  run: async () => (await import('../frame/reference.js')).writeReference,
};
