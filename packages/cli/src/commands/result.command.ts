import type { TopLevelCommand } from '../frame/declaration.js';
import { taskIdArgument } from '../frame/places.js';
import { duration } from '../frame/value-types.js';

export const resultCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: "Show a task's or workflow's state and result.",
  description:
    'Shows the payload, with sensitive fields masked, of a task that waits, runs or is a dead letter. Exits with 1 when the task failed or is unknown.',
  arguments: [taskIdArgument],
  options: [
    {
      flags: '--wait <timeout>',
      description: 'wait until the task ends, for at most this time',
      type: duration,
    },
  ],
  examples: ['my-id-1 --wait 60s'],
  run: async () => (await import('./result.js')).result,
};
