/** No-op tasks a second with one, two and four streams for their queue, in turns in the same run. */
import type { NatsConnection } from '@nats-io/transport-node';
import { inParallel, median, rate } from './measure.js';
import { noop, openFramework, type Framework } from './subject.js';
import { drainWithWorker } from './tasks.js';

const COUNTS = [1, 2, 4] as const;
const TASKS = 30_000;
const IN_FLIGHT = 1_000;

export interface ShardFigure {
  shards: number;
  enqueuedPerSecond: number;
  tasksPerSecond: number;
  /** Of one stream. */
  enqueueRatio: number;
  taskRatio: number;
}

export async function benchShards(connection: NatsConnection, rounds: number): Promise<ShardFigure[]> {
  const sides = await Promise.all(
    COUNTS.map(async (shards) => ({
      shards,
      framework: await openFramework(connection, `shards${shards}`, shards),
      enqueued: [] as number[],
      ended: [] as number[],
    })),
  );
  for (let round = 0; round <= rounds; round++)
    for (const { framework, enqueued, ended } of sides) {
      const enqueue = await rate(TASKS, () => fill(framework));
      const drain = await drainWithWorker(framework);
      // The first round compiles the code.
      if (round === 0) continue;
      enqueued.push(enqueue);
      ended.push(drain);
    }
  await Promise.all(sides.map(({ framework }) => framework.client.close()));
  const [one] = sides;
  const base = { enqueued: median(one?.enqueued ?? []), ended: median(one?.ended ?? []) };
  return sides.map(({ shards, enqueued, ended }) => ({
    shards,
    enqueuedPerSecond: Math.round(median(enqueued)),
    tasksPerSecond: Math.round(median(ended)),
    enqueueRatio: median(enqueued) / base.enqueued,
    taskRatio: median(ended) / base.ended,
  }));
}

function fill({ client }: Framework): Promise<void> {
  return inParallel(TASKS, IN_FLIGHT, (n) => client.enqueue(noop, { n }));
}
