/**
 * What a load needs: the utilisation law applied to measured costs. A part that scales out gets as many processes as keep each below the wanted
 * utilisation; one that does not is a ceiling, and the load beyond the lowest ceiling needs another cell, a platform of its own.
 */
import type { Costs, UnitCost } from './costs.js';
import { meanWaitMs } from './queueing.js';

export interface Load {
  /** At the peak. */
  tasksPerSecond: number;
  /** Mean work of a task beside what the platform does, in milliseconds: mostly waiting for others. */
  taskMs: number;
  webhooksPerSecond: number;
  customerEventsPerSecond: number;
  syncRowsPerSecond: number;
  tenants: number;
  /** Days that the database keeps what it has. */
  retentionDays: number;
  /** The peak is so many times the average. */
  peakToAverage: number;
  /** Share of each processor that the peak may use. */
  utilisation: number;
  /** Slots of a worker. */
  concurrency: number;
  /** Copies of each stream. */
  replicas: number;
  /** Of a server of NATS or PostgreSQL. */
  coresPerServer: number;
  /** Cells that there are anyway, for example by country. */
  regions: number;
}

/** A part that one cell has once. */
export interface Ceiling {
  part: 'results bucket' | 'events stream' | 'projector' | 'PostgreSQL' | 'NATS server';
  /** So many times this load fill it as far as it may be: below 1 the load needs several cells. */
  timesLoad: number;
}

export interface Plan {
  cells: number;
  /** Of one cell from here on. */
  workerSlots: number;
  workers: number;
  apiProcesses: number;
  queueShards: number;
  natsServers: number;
  natsCores: number;
  postgresqlCores: number;
  natsDiskBytes: number;
  postgresqlDiskBytes: number;
  /** Of the history, which is in tables by day. */
  partitions: number;
  natsWireBytesPerSecond: number;
  /** Mean wait for a slot at the peak, in milliseconds. */
  meanWaitMs: number;
  /** Of the whole load in one cell; the first to be full comes first. */
  ceilings: Ceiling[];
}

const MICROS = 1_000_000;
const DAY_SECONDS = 86_400;
/** A task is written three times, each about as large: its message, its record, its state change. */
const STREAM_SHARE = 1 / 3;
/** The next days' partitions are made ahead. */
const PARTITIONS_AHEAD = 2;
const MAX_SHARDS = 64;

type Part = keyof UnitCost['cpu_us'];

/** Units of each kind for one task of this load. */
function mixOf(load: Load): { unit: keyof Costs['units']; perSecond: number }[] {
  return [
    { unit: 'task', perSecond: load.tasksPerSecond },
    { unit: 'event', perSecond: load.tasksPerSecond },
    { unit: 'webhook', perSecond: load.webhooksPerSecond },
    { unit: 'customer_event', perSecond: load.customerEventsPerSecond },
    { unit: 'sync_row', perSecond: load.syncRowsPerSecond },
  ];
}

/** Whole cores that a part would keep busy. */
function busyCores(costs: Costs, load: Load, part: Part): number {
  return mixOf(load).reduce(
    (sum, { unit, perSecond }) => sum + (perSecond * costs.units[unit].cpu_us[part]) / MICROS,
    0,
  );
}

/** How far each part of one cell is from being full, while the load keeps its proportions. The first to be full comes first. */
function ceilingsOf(costs: Costs, load: Load): Ceiling[] {
  const { utilisation, coresPerServer, replicas } = load;
  const at = (part: Ceiling['part'], cores: number, busy: number): Ceiling => ({
    part,
    timesLoad: busy === 0 ? Infinity : (cores * utilisation) / busy,
  });
  const stream = (load.tasksPerSecond * costs.units.task.cpu_us.nats * STREAM_SHARE) / MICROS;
  return [
    at('results bucket', 1, stream),
    at('events stream', 1, stream),
    at('projector', 1, busyCores(costs, load, 'projector')),
    at('PostgreSQL', coresPerServer, busyCores(costs, load, 'postgresql')),
    // Shards and streams have their leaders on different servers; each copy is written once more.
    at('NATS server', coresPerServer * replicas, busyCores(costs, load, 'nats') * replicas),
  ].toSorted((a, b) => a.timesLoad - b.timesLoad);
}

export function planFor(costs: Costs, load: Load): Plan {
  const ceilings = ceilingsOf(costs, load);
  const first = ceilings[0]?.timesLoad ?? Infinity;
  const cells = Math.max(load.regions, Math.ceil(1 / first), 1);
  const own = share(load, cells);
  const { utilisation, concurrency, taskMs } = own;
  const processes = (part: Part): number => Math.ceil(busyCores(costs, own, part) / utilisation);
  const slots = Math.max(1, Math.ceil((own.tasksPerSecond * taskMs) / 1_000 / utilisation));
  const workers = Math.max(1, Math.ceil(slots / concurrency), processes('worker'));
  const natsBusy = busyCores(costs, own, 'nats') * own.replicas;
  const queueBusy = (own.tasksPerSecond * costs.units.task.cpu_us.nats * STREAM_SHARE) / MICROS;
  return {
    cells,
    workerSlots: workers * concurrency,
    workers,
    apiProcesses: Math.max(1, processes('api')),
    queueShards: Math.min(MAX_SHARDS, Math.max(1, Math.ceil(queueBusy / utilisation))),
    natsServers: Math.max(own.replicas, Math.ceil(natsBusy / utilisation / own.coresPerServer)),
    natsCores: Math.max(1, Math.ceil(natsBusy / utilisation)),
    postgresqlCores: Math.max(1, Math.ceil(busyCores(costs, own, 'postgresql') / utilisation)),
    ...diskOf(costs, own),
    partitions: own.retentionDays + PARTITIONS_AHEAD,
    natsWireBytesPerSecond: Math.ceil(
      mixOf(own).reduce((sum, { unit, perSecond }) => sum + perSecond * costs.units[unit].nats_wire_bytes, 0),
    ),
    meanWaitMs: meanWaitMs(
      { servers: workers * concurrency, serviceMs: taskMs + costs.units.task.cpu_us.worker / 1_000 },
      own.tasksPerSecond,
    ),
    ceilings,
  };
}

/** What one of several equal cells gets. */
function share(load: Load, cells: number): Load {
  return {
    ...load,
    tasksPerSecond: load.tasksPerSecond / cells,
    webhooksPerSecond: load.webhooksPerSecond / cells,
    customerEventsPerSecond: load.customerEventsPerSecond / cells,
    syncRowsPerSecond: load.syncRowsPerSecond / cells,
    tenants: Math.ceil(load.tenants / cells),
  };
}

/** Records and state changes are kept for a day and for seven, so a day's bytes count seven times at most. */
const BROKER_DAYS = 7;
/** Rows of a tenant that does nothing: keys, schedule, definitions. */
const TENANT_BYTES = 65_536;

function diskOf(costs: Costs, load: Load): Pick<Plan, 'natsDiskBytes' | 'postgresqlDiskBytes'> {
  const perDay = (bytes: 'nats_disk_bytes' | 'postgresql_disk_bytes'): number =>
    mixOf(load).reduce(
      (sum, { unit, perSecond }) =>
        sum + (perSecond / load.peakToAverage) * DAY_SECONDS * costs.units[unit][bytes],
      0,
    );
  return {
    natsDiskBytes: Math.ceil(perDay('nats_disk_bytes') * Math.min(BROKER_DAYS, load.retentionDays)),
    postgresqlDiskBytes: Math.ceil(
      perDay('postgresql_disk_bytes') * load.retentionDays + load.tenants * TENANT_BYTES,
    ),
  };
}
