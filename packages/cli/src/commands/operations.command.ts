import type { ArgumentDeclaration, CommandDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { integer } from '../frame/value-types.js';

const id: ArgumentDeclaration = { name: '<id>', description: 'id of the operation' };
/** As the table's rule and the API have it. */
const MAX_RATE = 500;

const act = (name: 'pause' | 'resume' | 'stop' | 'undo', summary: string): CommandDeclaration => ({
  name,
  summary,
  arguments: [id],
  examples: ['mM0uP4x1o9QkJ2aZ'],
  run: async () => (await import('./operations.js'))[name],
});

export const operationsCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: 'Cancel tasks, replay or discard dead letters: all that a search finds, at a rate.',
  commands: [
    {
      name: 'list',
      summary: 'List the operations of the last seven days, newest first.',
      examples: [''],
      run: async () => (await import('./operations.js')).list,
    },
    {
      name: 'show',
      summary: 'Show an operation: what it touches, how far it is, and what could not be done.',
      arguments: [id],
      examples: ['mM0uP4x1o9QkJ2aZ'],
      run: async () => (await import('./operations.js')).show,
    },
    {
      name: 'start',
      summary: 'Find tasks, show them, and after a confirmation cancel, replay or discard exactly these.',
      description:
        'It begins ten seconds later; the API or the dashboard carries it out, and has to run. Stopped before, it has done nothing. Discarded letters can be put back for a day; cancelled and replayed tasks cannot.',
      arguments: [
        {
          name: '<verb>',
          description: 'what to do',
          choices: async () => (await import('@stratum/shared/operations')).VERBS,
        },
        { name: '<search>', description: 'which tasks, as the dashboard searches them' },
      ],
      options: [
        { flags: '--dry-run', description: 'only count and show them' },
        {
          flags: '--rate <count>',
          description: 'most tasks per second',
          type: integer(1, MAX_RATE),
          default: 50,
        },
        { flags: '--yes', description: 'do not ask' },
        { flags: '--wait', description: 'wait until it has ended' },
      ],
      examples: [
        `cancel 'queue:sync task:sync_campaign_data tenant:7' --dry-run`,
        `replay 'error:"rate limit"' --rate 10`,
      ],
      run: async () => (await import('./operations.js')).start,
    },
    act('pause', 'Pause an operation: nothing else begins.'),
    act('resume', 'Go on with a paused operation.'),
    act('stop', 'End an operation; what was done stays done.'),
    act('undo', 'Put back the dead letters that an operation has discarded within the last day.'),
  ],
};
