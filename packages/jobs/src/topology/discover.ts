/** Reads from the server which queues there are under a prefix. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { namesFor } from '../wire/names.js';

/** Names of the queues that have a stream, sorted; none where nothing has been reconciled under the prefix. */
export async function discoverQueues(connection: NatsConnection, prefix?: string): Promise<string[]> {
  const filter = namesFor(prefix).tasksFilter('*');
  const [head = '', tail = ''] = filter.split('*');
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const queues: string[] = [];
  for await (const { config } of manager.streams.list(filter)) {
    for (const subject of config.subjects) {
      if (subject.startsWith(head) && subject.endsWith(tail))
        queues.push(subject.slice(head.length, -tail.length));
    }
  }
  return queues.toSorted();
}
