/** Which streams of a NATS account belong to an installation. */
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { scopedName } from '@stratum/jobs/internal';
import type { NatsConnection } from '@nats-io/transport-node';

/**
 * Streams and buckets under a prefix, sorted by name: those with a subject of the prefix, the server's notices about its queues, and the buckets
 * of the framework (`task_…`) and of the API (`api_…`).
 */
export async function ownStreams(connection: NatsConnection, prefix: string): Promise<StreamInfo[]> {
  const advisories = scopedName(prefix, 'ADVISORIES');
  const bucket = new RegExp(`^KV_${scopedName(prefix, '')}(?:task|api)_[a-z]+$`);
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const found: StreamInfo[] = [];
  for await (const info of manager.streams.list()) {
    const { name, subjects } = info.config;
    if (
      name === advisories ||
      bucket.test(name) ||
      subjects.some((subject) => subject.startsWith(`${prefix}.`))
    )
      found.push(info);
  }
  return found.toSorted((a, b) => (a.config.name < b.config.name ? -1 : 1));
}

/** Names of durable consumers that somebody takes messages from at this moment, as `stream/consumer`. */
export async function consumersAtWork(
  connection: NatsConnection,
  streams: readonly StreamInfo[],
): Promise<string[]> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const busy: string[] = [];
  for (const { config } of streams)
    for await (const { name, num_waiting: waiting } of manager.consumers.list(config.name))
      if (waiting > 0) busy.push(`${config.name}/${name}`);
  return busy;
}
