/** Streams of messages on their way to the database: each is kept until its one consumer has written it down. */
import { AckPolicy, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';

export interface WorkQueueStream {
  stream: string;
  description: string;
  filter: string;
  consumer: string;
  replicas: number;
  /** Nanoseconds. */
  ackWaitNs: number;
  /** Nanoseconds. Default: the server's. */
  duplicateWindowNs?: number;
}

/** Creates the stream and its consumer unless they are there. */
export async function ensureWorkQueueStream(
  connection: NatsConnection,
  { stream, description, filter, consumer, replicas, ackWaitNs, duplicateWindowNs }: WorkQueueStream,
): Promise<void> {
  const manager = await jetstreamManager(connection);
  await manager.streams.add({
    name: stream,
    description,
    subjects: [filter],
    // What would not fit is refused, never dropped.
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    num_replicas: replicas,
    ...(duplicateWindowNs === undefined ? {} : { duplicate_window: duplicateWindowNs }),
  });
  await manager.consumers.add(stream, {
    durable_name: consumer,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ackWaitNs,
    max_ack_pending: -1,
  });
}
