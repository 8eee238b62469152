import type { TopLevelCommand } from '../frame/declaration.js';

export const eventsCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: 'Follow state changes of tasks until Ctrl-C.',
  options: [
    { flags: '--queue <queue>', description: 'only tasks of this queue' },
    { flags: '--task <task>', description: 'only tasks of this type' },
    {
      flags: '--state <state>',
      description: 'only changes to this state',
      choices: async () => (await import('@stratum/jobs')).EVENT_STATES.map((state) => state.toLowerCase()),
    },
  ],
  json: 'print one JSON document on each line',
  examples: ['--queue sync --state failure'],
  run: async () => (await import('./events.js')).tail,
};
