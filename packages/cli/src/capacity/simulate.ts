/**
 * A cell as stations that a task passes one after the other, each with a queue of its own. Arrivals are Poisson, service times exponential, from a
 * seed. The station whose queue still grows at the end is where the bottleneck lies.
 */
import type { Costs } from './costs.js';
import type { Load, Plan } from './plan.js';
import { exponential, randomFrom, utilisation, waitsMs, type Station } from './queueing.js';

export interface NamedStation extends Station {
  readonly name: string;
}

export interface StationResult {
  name: string;
  /** Share of its servers' time that the load asks for; above 1 it cannot keep up. */
  utilisation: number;
  /** Mean wait in front of it, in milliseconds. */
  meanWaitMs: number;
  /** Mean wait of the last tenth of the arrivals: far above the mean where the queue grows. */
  lastWaitMs: number;
}

export interface Simulation {
  tasksPerSecond: number;
  stations: StationResult[];
  /** Mean time from enqueue to history, in milliseconds. */
  responseMs: number;
}

/** Of one cell of the plan. The broker's cost of a task is that of three streams, of which the queue is sharded. */
export function stationsOf(costs: Costs, load: Load, plan: Plan): NamedStation[] {
  const { task, event } = costs.units;
  const stream = task.cpu_us.nats / 3_000;
  return [
    { name: 'queue streams', servers: plan.queueShards, serviceMs: stream },
    {
      name: 'worker slots',
      servers: plan.workerSlots,
      serviceMs: load.taskMs + task.cpu_us.worker / 1_000,
    },
    { name: 'results bucket', servers: 1, serviceMs: stream },
    { name: 'events stream', servers: 1, serviceMs: stream },
    { name: 'projector', servers: 1, serviceMs: event.cpu_us.projector / 1_000 },
    { name: 'PostgreSQL', servers: load.coresPerServer, serviceMs: event.cpu_us.postgresql / 1_000 },
  ];
}

/** @param tasks how many pass through */
export function simulate(
  stations: readonly NamedStation[],
  tasksPerSecond: number,
  { tasks, seed }: { tasks: number; seed: number },
): Simulation {
  const random = randomFrom(seed);
  let clock = 0;
  const enqueuedMs = Array.from(
    { length: tasks },
    () => (clock += exponential(1_000 / tasksPerSecond, random)),
  );
  let arrivals = [...enqueuedMs];
  const results = stations.map((station) => {
    // Those that overtook others arrive before them.
    const order = arrivals.map((_, index) => index).toSorted((a, b) => at(arrivals, a) - at(arrivals, b));
    const services = order.map(() => exponential(station.serviceMs, random));
    const waits = waitsMs(
      station.servers,
      order.map((index, place) => ({ atMs: at(arrivals, index), serviceMs: at(services, place) })),
    );
    const left = [...arrivals];
    for (const [place, index] of order.entries())
      left[index] = at(arrivals, index) + at(waits, place) + at(services, place);
    arrivals = left;
    return {
      name: station.name,
      utilisation: utilisation(station, tasksPerSecond),
      meanWaitMs: mean(waits),
      lastWaitMs: mean(waits.slice(-Math.ceil(tasks / 10))),
    };
  });
  return {
    tasksPerSecond,
    stations: results,
    responseMs: mean(arrivals.map((end, index) => end - at(enqueuedMs, index))),
  };
}

function at(values: readonly number[], index: number): number {
  return values[index] ?? 0;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
