/** The three sizes that docs/capacity.md speaks of. */
import type { Load } from './plan.js';

export interface Deployment {
  readonly name: string;
  readonly load: Load;
}

const COMMON = { peakToAverage: 3, utilisation: 0.6, taskMs: 50 };

export const DEPLOYMENTS: readonly Deployment[] = [
  {
    name: 'Small: one node',
    load: {
      ...COMMON,
      tasksPerSecond: 50,
      webhooksPerSecond: 5,
      customerEventsPerSecond: 200,
      syncRowsPerSecond: 200,
      tenants: 100,
      retentionDays: 90,
      concurrency: 4,
      replicas: 1,
      coresPerServer: 4,
      regions: 1,
    },
  },
  {
    name: 'Large: three nodes, 10,000 tenants',
    load: {
      ...COMMON,
      tasksPerSecond: 2_000,
      webhooksPerSecond: 100,
      customerEventsPerSecond: 5_000,
      syncRowsPerSecond: 5_000,
      tenants: 10_000,
      retentionDays: 180,
      concurrency: 16,
      replicas: 3,
      coresPerServer: 16,
      regions: 1,
    },
  },
  {
    name: 'Planet-sized: cells in six regions',
    load: {
      ...COMMON,
      tasksPerSecond: 200_000,
      webhooksPerSecond: 10_000,
      customerEventsPerSecond: 500_000,
      syncRowsPerSecond: 500_000,
      tenants: 1_000_000,
      retentionDays: 180,
      concurrency: 64,
      replicas: 3,
      coresPerServer: 32,
      regions: 6,
    },
  },
];
