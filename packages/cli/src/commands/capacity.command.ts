import type { OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { decimal, integer } from '../frame/value-types.js';

const amount = (flags: string, description: string, most: number, byDefault: number): OptionDeclaration => ({
  flags,
  description,
  type: decimal(0, most),
  default: byDefault,
});

export const capacityCommand: TopLevelCommand = {
  group: 'Queues and workers',
  summary: 'Say what a load needs: workers, streams, disk, servers, and which part is full first.',
  description:
    'Computes with measured costs, and asks neither broker nor database. Measure on your own machine: npm run bench -- --capacity',
  options: [
    amount('--tasks-per-second <number>', 'at the peak', 10_000_000, 100),
    amount(
      '--task-ms <number>',
      "mean work of a task beside the platform's own, in milliseconds",
      3_600_000,
      50,
    ),
    amount('--webhooks-per-second <number>', 'inbound, at the peak', 10_000_000, 0),
    amount('--customer-events-per-second <number>', 'at the peak', 10_000_000, 0),
    amount('--sync-rows-per-second <number>', 'daily rows of campaigns, at the peak', 10_000_000, 0),
    { flags: '--tenants <count>', description: 'tenants', type: integer(1, 10_000_000), default: 100 },
    {
      flags: '--retention <days>',
      description: 'how long the database keeps what it has',
      type: integer(1, 3_660),
      default: 90,
    },
    {
      flags: '--peak <times>',
      description: 'the peak is so many times the average',
      type: decimal(1, 1_000),
      default: 3,
    },
    {
      flags: '--utilisation <share>',
      description: 'share of a processor that the peak may use',
      type: decimal(0.1, 0.95),
      default: 0.6,
    },
    {
      flags: '--concurrency <count>',
      description: 'slots of a worker',
      type: integer(1, 10_000),
      default: 4,
    },
    { flags: '--replicas <count>', description: 'copies of each stream', type: integer(1, 5), default: 1 },
    {
      flags: '--cores-per-server <count>',
      description: 'of a server of NATS or PostgreSQL',
      type: integer(1, 1_024),
      default: 8,
    },
    {
      flags: '--regions <count>',
      description: 'platforms that there are anyway',
      type: integer(1, 1_000),
      default: 1,
    },
    {
      flags: '--simulate',
      description:
        'also let tasks pass through the parts: at the load, and where the fullest part is used to 95 and to 120 %',
    },
    { flags: '--costs <file>', description: 'measured costs (default: those of this version)' },
  ],
  examples: [
    '--tasks-per-second 2000 --tenants 10000 --retention 90 --replicas 3',
    '--tasks-per-second 20 --simulate --json',
  ],
  run: async () => (await import('./capacity.js')).capacity,
};
