import { readCosts } from '../capacity/costs.js';
import { inBytes } from '../capacity/figures.js';
import { planFor, type Load, type Plan } from '../capacity/plan.js';
import { utilisation } from '../capacity/queueing.js';
import { simulate, stationsOf, type NamedStation, type Simulation } from '../capacity/simulate.js';
import { printJson, printTable } from '../output.js';

interface CapacityOptions {
  tasksPerSecond: number;
  taskMs: number;
  webhooksPerSecond: number;
  customerEventsPerSecond: number;
  syncRowsPerSecond: number;
  tenants: number;
  retention: number;
  peak: number;
  utilisation: number;
  concurrency: number;
  replicas: number;
  coresPerServer: number;
  regions: number;
  simulate?: boolean;
  costs?: string;
  json?: boolean;
}

/** How full the fullest part is, beside the load itself. */
const FULLEST_AT = [0.95, 1.2];
const SIMULATED_TASKS = 50_000;
const SEED = 17;

export async function capacity({
  retention,
  peak,
  simulate: isSimulated,
  costs: file,
  json,
  ...own
}: CapacityOptions): Promise<void> {
  const costs = await readCosts(file);
  const load: Load = { ...own, retentionDays: retention, peakToAverage: peak };
  const plan = planFor(costs, load);
  const inCell = load.tasksPerSecond / plan.cells;
  const simulations =
    isSimulated === true && inCell > 0 ? simulated(stationsOf(costs, load, plan), inCell) : [];
  if (json === true) {
    printJson({ load, measured_on: costs.machine, plan, simulations });
    return;
  }
  printTable(['of each cell', 'needs'], rowsOf(plan));
  console.log();
  printTable(
    ['part that a cell has once', 'is as full as it may be at'],
    plan.ceilings.map(({ part, timesLoad }) => [part, timesText(timesLoad, load.tasksPerSecond)]),
  );
  for (const each of simulations) printSimulation(each);
  const { processor, cores, nats } = costs.machine;
  console.log(`\nMeasured on ${processor} (${cores} cores), NATS ${nats}.`);
}

/** At the load, at the brink, and beyond what the fullest part can do. */
function simulated(stations: readonly NamedStation[], tasksPerSecond: number): Simulation[] {
  const fullest = Math.max(...stations.map((station) => utilisation(station, tasksPerSecond)));
  return [1, ...FULLEST_AT.map((share) => share / fullest)].map((times) =>
    simulate(stations, tasksPerSecond * times, { tasks: SIMULATED_TASKS, seed: SEED }),
  );
}

function rowsOf(plan: Plan): [string, string | number][] {
  return [
    ['cells', plan.cells],
    ['workers', plan.workers],
    ['slots of all workers', plan.workerSlots],
    ['mean wait for a slot', milliseconds(plan.meanWaitMs)],
    ['API processes', plan.apiProcesses],
    ['streams of the busiest queue', plan.queueShards],
    ['NATS servers', plan.natsServers],
    ['cores of NATS, all servers', plan.natsCores],
    ['disk of NATS, each copy', inBytes(plan.natsDiskBytes)],
    ['through NATS', `${inBytes(plan.natsWireBytesPerSecond)}/s`],
    ['cores of PostgreSQL', plan.postgresqlCores],
    ['disk of PostgreSQL', inBytes(plan.postgresqlDiskBytes)],
    ['partitions of the history, by day', plan.partitions],
  ];
}

function printSimulation({ tasksPerSecond, stations, responseMs }: Simulation): void {
  console.log(
    `\nAt ${number(tasksPerSecond)} tasks/s in a cell, from enqueue to history ${milliseconds(responseMs)}:`,
  );
  printTable(
    ['part', 'used', 'mean wait', 'wait at the end'],
    stations.map((each) => [
      each.name,
      `${(100 * each.utilisation).toFixed(0)} %`,
      milliseconds(each.meanWaitMs),
      milliseconds(each.lastWaitMs),
    ]),
  );
}

function timesText(times: number, tasksPerSecond: number): string {
  if (!Number.isFinite(times)) return 'no part of this load';
  const load = `${times < 10 ? times.toFixed(2) : number(times)} times this load`;
  return tasksPerSecond === 0 ? load : `${load}: ${number(times * tasksPerSecond)} tasks/s`;
}

function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(2) : number(value)} ms`;
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en');
}
