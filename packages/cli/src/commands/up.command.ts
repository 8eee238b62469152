import type { OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { integer, port } from '../frame/value-types.js';
import { PORTS } from '../stack/port-settings.js';

/** A day in four minutes. */
export const FAST_SPEED = 360;

const portOptions: OptionDeclaration[] = Object.values(PORTS).map(({ flag, part, variable, standard }) => ({
  flags: `${flag} <port>`,
  description: `port of ${part}; 0: any free port; default: ${variable}, the port of the last start, ${standard}`,
  type: port,
}));

export const upCommand: TopLevelCommand = {
  group: 'Getting started',
  summary: 'Start the whole platform on this machine.',
  description:
    'Starts the servers and the services, syncs the campaigns of the demonstration tenants once, and runs the schedule until Ctrl-C.',
  options: [
    { flags: '--once', description: 'stop after the first sync' },
    ...portOptions,
    {
      flags: '--fast-clock [speed]',
      description: `first replay the last day of the schedule at this multiple of real time; default: ${FAST_SPEED}`,
      type: integer(1, 100_000),
    },
  ],
  json: 'print the synced campaigns and the addresses as JSON; progress goes to standard error',
  examples: ['', '--once --json', '--fast-clock'],
  notes: `NATS_URL and DATABASE_URL name servers of your own; Stratum then starts none. Data are kept under .stratum/
(STRATUM_HOME moves it), as are the ports that the stack used last.`,
  run: async () => (await import('./up.js')).up,
};
