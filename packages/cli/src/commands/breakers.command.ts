import type { ArgumentDeclaration, TopLevelCommand } from '../frame/declaration.js';

const serviceArgument: ArgumentDeclaration = {
  name: '<service>',
  description: 'name of the service in the contracts',
};
const keyArgument: ArgumentDeclaration = {
  name: '[key]',
  description: 'which circuit of the service, for example meta, where the contracts have one for each key',
};

export const breakersCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Circuit breakers of outside services: list, open, close.',
  commands: [
    {
      name: 'list',
      summary: 'List the services that contracts name, and their circuits with the tasks that wait.',
      examples: [''],
      run: async () => (await import('./breakers.js')).listBreakers,
    },
    {
      name: 'open',
      summary: 'Keep tasks from a service until the circuit is closed by command.',
      description:
        'The tasks wait without a slot and spend no retries. It holds for all workers and over restarts.',
      arguments: [serviceArgument, keyArgument],
      examples: ['ad_platform meta'],
      run: async () => (await import('./breakers.js')).openBreaker,
    },
    {
      name: 'close',
      summary: 'Close a circuit now, and start the tasks that wait, a few at first.',
      arguments: [serviceArgument, keyArgument],
      examples: ['ad_platform meta'],
      run: async () => (await import('./breakers.js')).closeBreaker,
    },
  ],
};
