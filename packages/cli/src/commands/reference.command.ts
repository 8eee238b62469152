import { join } from 'node:path';
import type { TopLevelCommand } from '../frame/declaration.js';
import { ROOT } from '../stack/home.js';

export const helpCommand: TopLevelCommand = {
  group: 'This command',
  name: 'help',
  summary: 'Show the help of a command.',
  arguments: [{ name: '[command...]', description: 'words of the command, such as schedules add' }],
  json: false,
  examples: ['schedules add'],
  run: async () => (await import('../frame/help.js')).showHelp,
};

export const referenceCommand: TopLevelCommand = {
  group: 'This command',
  name: 'reference',
  hidden: true,
  summary: "Write the reference from the commands' own help.",
  options: [
    {
      flags: '--out <file>',
      description: 'file to write to',
      default: join(ROOT, 'docs', 'reference', 'cli.md'),
      defaultText: 'docs/reference/cli.md',
    },
    { flags: '--check', description: 'write nothing; fail when the file is out of date' },
  ],
  examples: [],
  run: async () => (await import('../frame/reference.js')).writeReference,
};
