import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCosts, type Costs } from './costs.js';
import { planFor, type Load, type Plan } from './plan.js';

const costs = await readCosts();
const load = fc.record({
  tasksPerSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
  taskMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
  webhooksPerSecond: fc.double({ min: 0, max: 1e5, noNaN: true }),
  customerEventsPerSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
  syncRowsPerSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
  tenants: fc.integer({ min: 1, max: 1e7 }),
  retentionDays: fc.integer({ min: 1, max: 3_660 }),
  peakToAverage: fc.double({ min: 1, max: 100, noNaN: true }),
  utilisation: fc.double({ min: 0.1, max: 0.95, noNaN: true }),
  concurrency: fc.integer({ min: 1, max: 1_000 }),
  replicas: fc.integer({ min: 1, max: 5 }),
  coresPerServer: fc.integer({ min: 1, max: 128 }),
  regions: fc.integer({ min: 1, max: 100 }),
}) satisfies fc.Arbitrary<Load>;
/** Of one cell, beyond which more of something is needed. */
const NEEDS = [
  'workers',
  'workerSlots',
  'apiProcesses',
  'queueShards',
  'natsServers',
  'natsCores',
  'postgresqlCores',
  'natsDiskBytes',
  'postgresqlDiskBytes',
  'partitions',
  'natsWireBytesPerSecond',
] as const satisfies readonly (keyof Plan)[];
const GROWING = [
  'tasksPerSecond',
  'taskMs',
  'webhooksPerSecond',
  'customerEventsPerSecond',
  'syncRowsPerSecond',
  'tenants',
  'retentionDays',
] as const satisfies readonly (keyof Load)[];

describe('a plan', () => {
  test('has whole, finite numbers of everything, and never asks a part for more than it may give', () => {
    fc.assert(
      fc.property(load, (given) => {
        const plan = planFor(costs, given);
        for (const need of NEEDS) expect(Number.isInteger(plan[need]), need).toBe(true);
        expect(plan.cells).toBeGreaterThanOrEqual(given.regions);
        // In one of the cells every part that it has once is within its limit.
        expect((plan.ceilings[0]?.timesLoad ?? 0) * plan.cells).toBeGreaterThanOrEqual(0.999_999);
        expect(plan.natsServers).toBeGreaterThanOrEqual(given.replicas);
        const slots = (given.tasksPerSecond / plan.cells) * (given.taskMs / 1_000);
        expect(plan.workerSlots * given.utilisation).toBeGreaterThanOrEqual(slots * 0.999_999);
      }),
    );
  });

  test('never needs less for more, in as many cells, nor fewer cells', () => {
    fc.assert(
      fc.property(load, fc.constantFrom(...GROWING), fc.integer({ min: 1, max: 20 }), (given, key, times) => {
        const more = { ...given, [key]: Math.ceil(given[key] * times) };
        const [before, after] = [planFor(costs, given), planFor(costs, more)];
        expect(after.cells).toBeGreaterThanOrEqual(before.cells);
        if (after.cells === before.cells)
          for (const need of NEEDS) expect(after[need], need).toBeGreaterThanOrEqual(before[need]);
      }),
    );
  });

  test('needs more where a unit costs more', () => {
    const dearer: Costs = structuredClone(costs);
    for (const unit of Object.values(dearer.units))
      for (const part of ['nats', 'postgresql', 'worker', 'api', 'projector'] as const)
        unit.cpu_us[part] *= 3;
    fc.assert(
      fc.property(load, (given) => {
        const [before, after] = [planFor(costs, given), planFor(dearer, given)];
        expect(after.cells).toBeGreaterThanOrEqual(before.cells);
        if (after.cells === before.cells)
          for (const need of NEEDS) expect(after[need], need).toBeGreaterThanOrEqual(before[need]);
      }),
    );
  });

  test('counts in the units that it names', () => {
    const unit = {
      ...costs.units.task,
      nats_disk_bytes: 1_000,
      postgresql_disk_bytes: 0,
      nats_wire_bytes: 500,
    };
    const none = {
      ...unit,
      cpu_us: { nats: 0, postgresql: 0, worker: 0, api: 0, projector: 0 },
      nats_disk_bytes: 0,
      nats_wire_bytes: 0,
    };
    const task = { ...unit, cpu_us: { nats: 300, postgresql: 0, worker: 100, api: 0, projector: 0 } };
    const event = { ...none, cpu_us: { ...none.cpu_us, projector: 1_000 }, postgresql_disk_bytes: 200 };
    const simple: Costs = {
      ...costs,
      units: { task, event, webhook: none, customer_event: none, sync_row: none },
    };
    const plan = planFor(simple, {
      tasksPerSecond: 300,
      taskMs: 1_000,
      webhooksPerSecond: 0,
      customerEventsPerSecond: 0,
      syncRowsPerSecond: 0,
      tenants: 1,
      retentionDays: 10,
      peakToAverage: 3,
      utilisation: 0.5,
      concurrency: 10,
      replicas: 1,
      coresPerServer: 4,
      regions: 1,
    });
    expect(plan).toMatchObject({
      cells: 1,
      // 300 tasks/s of one second each keep 300 slots busy, which are to be half of all.
      workers: 60,
      workerSlots: 600,
      natsCores: 1,
      natsWireBytesPerSecond: 150_000,
      // 100 tasks/s on average, for seven days.
      natsDiskBytes: 100 * 86_400 * 1_000 * 7,
      postgresqlDiskBytes: 100 * 86_400 * 200 * 10 + 65_536,
      partitions: 12,
    });
    // 1,000 µs each: 500 tasks/s at half of a core.
    expect(plan.ceilings[0]?.part).toBe('projector');
    expect(plan.ceilings[0]?.timesLoad).toBeCloseTo(500 / 300, 9);
  });
});
