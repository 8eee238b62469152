import { taskArgument } from '../frame/places.js';
import type { TopLevelCommand } from '../frame/declaration.js';

export const tasksCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: 'List the task types; show what each takes and returns.',
  commands: [
    {
      name: 'list',
      summary: 'List the task types by queue.',
      options: [{ flags: '--queue <queue>', description: 'only tasks of this queue' }],
      examples: ['--queue ml'],
      run: async () => (await import('./tasks.js')).list,
    },
    {
      name: 'show',
      summary: "Show a task type: the payload's fields, the result, retries and time limits.",
      arguments: [taskArgument],
      json: 'print JSON, with the JSON Schemas',
      examples: ['sync_campaign_data'],
      run: async () => (await import('./tasks.js')).show,
    },
  ],
};
