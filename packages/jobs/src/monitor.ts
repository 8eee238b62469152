/**
 * Views of a running system for commands and dashboards. This entry point loads in a fraction of the time of the whole package: it has no
 * client, worker, or scheduler.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { AckMultiplexer } from './broker/ack-multiplexer.js';
import { controlOf, type Control } from './client/control.js';
import { readQueueDepths, type QueueDepth } from './client/queue-depth.js';
import { ScheduleBucket } from './schedule/bucket.js';
import { readSchedulers, type SchedulersView } from './schedule/schedulers.js';
import type { Topology } from './topology/define.js';

export { connectToNats } from './broker/connect.js';
export { defineTopology } from './topology/define.js';

export interface Monitor {
  queues(): Promise<QueueDepth[]>;
  workers: Control['workers'];
  schedulers(): Promise<SchedulersView>;
  /** Leaves the connection open. */
  close(): Promise<void>;
}

export function openMonitor({
  connection,
  topology,
}: {
  connection: NatsConnection;
  topology: Topology;
}): Monitor {
  const publisher = new AckMultiplexer(connection);
  const control = controlOf(connection, topology, publisher);
  const bucket = new ScheduleBucket(connection, topology.names, publisher);
  return {
    queues: () => readQueueDepths(connection, topology),
    workers: () => control.workers(),
    schedulers: () => readSchedulers(bucket),
    close: () => publisher.close(),
  };
}
