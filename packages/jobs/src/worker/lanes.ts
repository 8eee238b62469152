/** The lanes that a worker draws from. */
import type { Topology } from '../topology/define.js';
import { PRIORITIES, type Priority } from '../wire/names.js';

/** One priority of one queue, or of a shard of it: one durable consumer. */
export interface Lane {
  readonly queue: string;
  /** The part of the queue that it draws from. */
  readonly carrier: string;
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
    const carriers = names.carriers(queue.name);
    return carriers.flatMap((carrier) =>
      PRIORITIES.map((priority) => ({
        queue: queue.name,
        carrier,
        priority,
        stream: names.queueStream(carrier),
        consumer: names.laneConsumer(carrier, priority),
        // Its shards share the turns of a queue.
        weight: (PRIORITY_WEIGHT[priority] * QUEUE_WEIGHT[queue.weight]) / carriers.length,
      })),
    );
  });
}
