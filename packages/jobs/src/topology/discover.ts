/** Reads from the server which queues there are under a prefix. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { isShard, namesFor } from '../wire/names.js';
import { discoveredShards } from '../wire/shards.js';
import type { QueueOptions } from './define.js';

/** Names of the queues that have a stream, sorted; none where nothing has been reconciled under the prefix. */
export async function discoverQueues(connection: NatsConnection, prefix?: string): Promise<string[]> {
  return (await discoverQueueOptions(connection, prefix)).map(({ name }) => name);
}

/** The same with the shards that exist: new tasks go to all of them. */
export async function discoverQueueOptions(
  connection: NatsConnection,
  prefix?: string,
): Promise<QueueOptions[]> {
  const filter = namesFor(prefix).tasksFilter('*');
  const [head = '', tail = ''] = filter.split('*');
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const shards = new Map<string, number>();
  for await (const { config } of manager.streams.list(filter)) {
    for (const subject of config.subjects) {
      if (!subject.startsWith(head) || !subject.endsWith(tail)) continue;
      const [first = '', second] = subject.slice(head.length, -tail.length).split('.');
      const [queue, shard] = second !== undefined && isShard(first) ? [second, Number(first)] : [first, -1];
      shards.set(queue, Math.max(shards.get(queue) ?? 0, shard + 1));
    }
  }
  return [...shards]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => ({ name, ...discoveredShards(count) }));
}
