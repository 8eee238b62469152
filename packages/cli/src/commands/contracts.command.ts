import { join } from 'node:path';
import type { TopLevelCommand } from '../frame/declaration.js';
import { ROOT } from '../stack/home.js';

export const contractsCommand: TopLevelCommand = {
  group: 'This command',
  summary: 'Export the wire contract, for programs in other languages.',
  commands: [
    {
      name: 'export',
      summary: 'Write the AsyncAPI document and the JSON Schemas of all task types.',
      options: [
        {
          flags: '--out <folder>',
          description: 'folder to write to',
          default: join(ROOT, 'docs', 'reference', 'contracts'),
          defaultText: 'docs/reference/contracts',
        },
        { flags: '--check', description: 'write nothing; fail when the files are out of date' },
      ],
      examples: ['--out contracts', '--check'],
      run: async () => (await import('./contracts.js')).exportContracts,
    },
  ],
};
