/**
 * Views of a running system for commands and dashboards. This entry point loads in a fraction of the time of the whole package: it has no
 * client, worker, or scheduler.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { controlOf, type Control } from './client/control.js';
import { readQueueDepths, type QueueDepth } from './client/queue-depth.js';
import { BrokerResources } from './resources/broker-resources.js';
import { ScheduleBucket } from './schedule/bucket.js';
import { readSchedulers, type SchedulersView } from './schedule/schedulers.js';
import type { Topology } from './topology/define.js';

export { connectToNats } from './broker/connect.js';
export { loginFrom } from './broker/login-settings.js';
export { defineTopology } from './topology/define.js';
export { discoverQueueOptions, discoverQueues } from './topology/discover.js';

export interface Monitor {
  /** What each queue holds, and whether it is paused. */
  queues(): Promise<QueueDepth[]>;
  /** Every worker with a heartbeat in the last 24 hours that has not shut down. */
  workers: Control['workers'];
  /** The rate limits in force, and how many tasks wait for each. */
  rateWaits: Control['rateWaits'];
  /** The keys under whose limits tasks run or wait. */
  keyWaits: Control['keyWaits'];
  /** The limits by key before which tasks wait. */
  keyLines: Control['keyLines'];
  /** The circuits of outside services of which anything is known. */
  circuits: Control['circuits'];
  /** The schedulers that run, and which of them leads. */
  schedulers(): Promise<SchedulersView>;
  /** Leaves the connection open. */
  close(): Promise<void>;
}

/** Opens views of a topology that exists on the server. Nothing is written. */
export function openMonitor({
  connection,
  topology,
}: {
  connection: NatsConnection;
  topology: Topology;
}): Monitor {
  const resources = new BrokerResources({ connection, topology });
  const control = controlOf(resources);
  const bucket = new ScheduleBucket(resources);
  return {
    queues: () => readQueueDepths(resources),
    workers: () => control.workers(),
    rateWaits: () => control.rateWaits(),
    keyWaits: () => control.keyWaits(),
    keyLines: () => control.keyLines(),
    circuits: () => control.circuits(),
    schedulers: () => readSchedulers(bucket),
    close: () => resources.close(),
  };
}
