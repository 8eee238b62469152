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

export const dashboardCommand: TopLevelCommand = {
  ...serviceCommand('dashboard', 'Queues and workers', 'Run the dashboard in the foreground.'),
  options: [
    {
      flags: '--link',
      description: 'print a link that signs in to the running dashboard once, within ten minutes',
    },
  ],
  examples: ['', '--link'],
  run: async () => {
    const [{ runService }, { printSignInLink }] = await Promise.all([
      import('./service.js'),
      import('./dashboard.js'),
    ]);
    return ({ link }: { link?: boolean }) => (link === true ? printSignInLink() : runService('dashboard'));
  },
};

function serviceCommand(
  name: 'api' | 'dashboard' | 'scheduler',
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
