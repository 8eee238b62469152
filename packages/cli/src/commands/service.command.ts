import type { CommandGroup, OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';

export const CHECK_CONFIG: OptionDeclaration = {
  flags: '--check-config',
  description: 'print the settings that are in effect, without secrets, and start nothing',
};

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
    CHECK_CONFIG,
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
    return ({ link, ...options }: { link?: boolean; checkConfig?: boolean }) =>
      link === true ? printSignInLink() : runService('dashboard', options);
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
    options: [CHECK_CONFIG],
    json: false,
    examples: ['', '--check-config'],
    run: async () => {
      const { runService } = await import('./service.js');
      return (options: { checkConfig?: boolean }) => runService(name, options);
    },
  };
}
