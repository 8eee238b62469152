import type { TopLevelCommand } from '../frame/declaration.js';
import { duration, json } from '../frame/value-types.js';

export const sendEventCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: 'Send an event to runs that wait for it in a durable step.',
  arguments: [
    { name: '<name>', description: 'name of the event' },
    { name: '[payload]', description: 'payload, any JSON value; default: null', type: json },
  ],
  options: [
    { flags: '--tenant <id>', description: 'tenant whose runs receive it; default: those of none' },
    {
      flags: '--key <key>',
      description: 'runs that wait with this key receive it; default: those without one',
    },
    { flags: '--id <id>', description: 'store an event of this id once; default: generated' },
    {
      flags: '--keep <duration>',
      description: 'keep it so long for runs that begin to wait later; default: 1d',
      type: duration,
    },
  ],
  examples: [`campaign_approved '{"by":"ann","budgetCents":70000}' --tenant 1 --key spring`],
  run: async () => (await import('./send-event.js')).sendEvent,
};
