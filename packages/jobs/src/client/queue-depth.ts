/** How much work each queue holds. */
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Topology } from '../topology/define.js';
import { PRIORITIES, type Priority } from '../wire/names.js';

export interface QueueDepth {
  queue: string;
  /** Tasks waiting for a worker, by priority. */
  high: number;
  normal: number;
  low: number;
  /** Tasks and retries whose time has not come. */
  delayed: number;
  /** Tasks that workers hold. */
  running: number;
  /** Nothing is handed out until somebody resumes it. */
  paused: boolean;
}

/** Reads the server's own figures. Meant for people and dashboards, not for a hot path. */
export async function readQueueDepths(connection: NatsConnection, topology: Topology): Promise<QueueDepth[]> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  return Promise.all(topology.queues.map(({ name }) => readQueue(manager, topology, name)));
}

async function readQueue(manager: JetStreamManager, { names }: Topology, queue: string): Promise<QueueDepth> {
  const stream = names.queueStream(queue);
  const readLane = async (
    priority: Priority,
  ): Promise<{ waiting: number; running: number; paused: boolean }> => {
    const info = await manager.consumers.info(stream, names.laneConsumer(queue, priority));
    return { waiting: info.num_pending, running: info.num_ack_pending, paused: info.paused === true };
  };
  const [info, ...lanes] = await Promise.all([manager.streams.info(stream), ...PRIORITIES.map(readLane)]);
  const [high, normal, low] = lanes.map((lane) => lane.waiting);
  const running = lanes.reduce((sum, lane) => sum + lane.running, 0);
  const paused = lanes.every((lane) => lane.paused);
  const waiting = (high ?? 0) + (normal ?? 0) + (low ?? 0);
  // What the lanes do not account for is scheduled; the figures are read one after another, hence the floor.
  const delayed = Math.max(0, info.state.messages - waiting - running);
  return { queue, high: high ?? 0, normal: normal ?? 0, low: low ?? 0, delayed, running, paused };
}
