/** Streams of messages on their way to the database: each is kept until its one consumer has written it down. */
import { AckPolicy, DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { reconcileStreams, type ReconcileOptions } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';

export interface WorkQueueStream {
  stream: string;
  description: string;
  filter: string;
  consumer: string;
  replicas: number;
  /** Size limit of waiting messages; beyond it publishing fails. */
  maxBytes: number;
  /** Nanoseconds. */
  ackWaitNs: number;
  /** Nanoseconds. Default: the server's. */
  duplicateWindowNs?: number;
}

/** Brings the stream and its consumer to this. @throws TopologyConflictError when the server refuses */
export async function ensureWorkQueueStream(
  connection: NatsConnection,
  declared: WorkQueueStream,
  options?: ReconcileOptions,
): Promise<void> {
  const { stream, description, filter, consumer, replicas, maxBytes, ackWaitNs, duplicateWindowNs } =
    declared;
  const config = {
    name: stream,
    description,
    subjects: [filter],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    num_replicas: replicas,
    max_bytes: maxBytes,
    // A message that does not fit is refused, never dropped.
    discard: DiscardPolicy.New,
    ...(duplicateWindowNs === undefined ? {} : { duplicate_window: duplicateWindowNs }),
  };
  const reader = {
    durable_name: consumer,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ackWaitNs,
    max_ack_pending: -1,
  };
  await reconcileStreams(connection, [{ config, consumers: [reader] }], options);
}
