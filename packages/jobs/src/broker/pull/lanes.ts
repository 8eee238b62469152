/** The lanes a worker draws from, and the order in which it turns to them. */
import type { Topology } from '../../topology/define.js';
import { PRIORITIES, type Priority } from '../../wire/names.js';

/** One priority of one queue: one durable consumer. */
export interface Lane {
  readonly queue: string;
  readonly priority: Priority;
  readonly stream: string;
  readonly consumer: string;
  /** Share of turns under contention. */
  readonly weight: number;
}

/**
 * Priority within a queue counts more than the weight of the queue. Sixteen to one is "the higher first" to a person's
 * eye, and still gives the lowest lane its turn.
 */
const PRIORITY_WEIGHT: Readonly<Record<Priority, number>> = { high: 16, normal: 4, low: 1 };
const QUEUE_WEIGHT: Readonly<Record<Priority, number>> = { high: 4, normal: 2, low: 1 };

export function lanesOf(topology: Topology, queues: readonly string[]): Lane[] {
  const { names } = topology;
  return queues.flatMap((name) => {
    const queue = topology.queue(name);
    return PRIORITIES.map((priority) => ({
      queue: queue.name,
      priority,
      stream: names.queueStream(queue.name),
      consumer: names.laneConsumer(queue.name, priority),
      weight: PRIORITY_WEIGHT[priority] * QUEUE_WEIGHT[queue.weight],
    }));
  });
}

/**
 * Smooth weighted round-robin: over any stretch, each lane gets turns in proportion to its weight, spread evenly, and
 * none waits for ever. (The method of nginx's upstream balancing.)
 */
export class LaneRotation<Item extends { readonly weight: number }> {
  private readonly credit = new Map<Item, number>();

  /** The item whose turn it is among the candidates, or `undefined` when there is none. */
  next(candidates: readonly Item[]): Item | undefined {
    let chosen: Item | undefined;
    let best = -Infinity;
    let total = 0;
    for (const item of candidates) {
      const credit = (this.credit.get(item) ?? 0) + item.weight;
      this.credit.set(item, credit);
      total += item.weight;
      if (credit > best) {
        best = credit;
        chosen = item;
      }
    }
    if (chosen !== undefined) this.credit.set(chosen, best - total);
    return chosen;
  }
}
