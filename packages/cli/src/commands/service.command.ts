import type { CommandGroup, TopLevelCommand } from '../frame/declaration.js';

export const schedulerCommand = serviceCommand(
  'scheduler',
  'Queues and workers',
  'Run a scheduler in the foreground.',
  'Where another one leads, it waits to take over.',
);

export const apiCommand = serviceCommand(
  'api',
  'HTTP API and webhooks',
  'Run the HTTP API in the foreground.',
);

function serviceCommand(
  name: 'api' | 'scheduler',
  group: CommandGroup,
  summary: string,
  description?: string,
): TopLevelCommand {
  return {
    group,
    summary,
    ...(description === undefined ? {} : { description }),
    json: false,
    examples: [''],
    run: async () => {
      const { runService } = await import('./service.js');
      return () => runService(name);
    },
  };
}
