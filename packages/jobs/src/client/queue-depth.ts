/** Depth of queues. */
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { Topology } from '../topology/define.js';
import type { Resources } from '../resources/resources.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { ServerHeader } from '../wire/headers.js';
import { PRIORITIES, type Priority } from '../wire/names.js';

export interface QueueDepth {
  queue: string;
  /** Tasks waiting for a worker, by priority. */
  high: number;
  normal: number;
  low: number;
  /** Tasks and retries that are not due yet. */
  delayed: number;
  /** Tasks that workers hold. Those that have lost their workers for good, and what no lane takes, are among them until the reaper ends them. */
  running: number;
  /** No task is delivered until the queue is resumed. */
  paused: boolean;
  /** When the oldest task that could run was stored, RFC 3339; `null` when none waits. */
  oldestWaitingAt: string | null;
  /** Executions started since the queue was created, repetitions included: for rates. */
  delivered: number;
  /** Executions that have ended. */
  acknowledged: number;
}

/** Tasks waiting for a worker, by priority. */
export type LaneDepths = Record<Priority, number>;

type CarrierDepth = Omit<QueueDepth, 'queue'>;

interface LaneDepth {
  waiting: number;
  running: number;
  paused: boolean;
  oldestAt: string | null;
  delivered: number;
  acknowledged: number;
}

/** Reads the server's own figures. Meant for people and dashboards, not for a hot path. */
export async function readQueueDepths({
  connection,
  topology,
  streams,
}: Pick<Resources, 'connection' | 'topology' | 'streams'>): Promise<QueueDepth[]> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  return Promise.all(
    topology.queues.map(async ({ name }) => {
      const parts = await Promise.all(
        topology.names.carriers(name).map((carrier) => readCarrier(manager, streams, topology, carrier)),
      );
      return { ...sumOf(parts), queue: name };
    }),
  );
}

/** Number of a tenant's tasks in each queue. Running tasks count as well, because the broker keeps them until they end. */
export async function readTenantDepths(
  { streams, topology }: Pick<Resources, 'streams' | 'topology'>,
  tenant: string,
): Promise<Record<string, LaneDepths>> {
  const { names, queues } = topology;
  const count = async (queue: string, priority: Priority): Promise<number> => {
    const counts = await Promise.all(
      names
        .carriers(queue)
        .map((carrier) =>
          streams.count(
            names.queueStream(carrier),
            names.taskSubject({ queue: carrier, priority, tenant, task: '*', id: '*' }),
          ),
        ),
    );
    return counts.reduce((sum, each) => sum + each, 0);
  };
  const depths = await Promise.all(
    queues.map(async ({ name }): Promise<[string, LaneDepths]> => {
      const [high, normal, low] = await Promise.all([
        count(name, 'high'),
        count(name, 'normal'),
        count(name, 'low'),
      ]);
      return [name, { high, normal, low }];
    }),
  );
  return Object.fromEntries(depths);
}

/** Of a queue, from those of its parts. */
function sumOf(parts: readonly CarrierDepth[]): CarrierDepth {
  const sum = (of: (part: CarrierDepth) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  const oldest = parts.flatMap(({ oldestWaitingAt }) => oldestWaitingAt ?? []).toSorted();
  return {
    high: sum((part) => part.high),
    normal: sum((part) => part.normal),
    low: sum((part) => part.low),
    delayed: sum((part) => part.delayed),
    running: sum((part) => part.running),
    paused: parts.every((part) => part.paused),
    oldestWaitingAt: oldest[0] ?? null,
    delivered: sum((part) => part.delivered),
    acknowledged: sum((part) => part.acknowledged),
  };
}

async function readCarrier(
  manager: JetStreamManager,
  streams: StreamAccess,
  { names }: Topology,
  carrier: string,
): Promise<CarrierDepth> {
  const stream = names.queueStream(carrier);
  const readLane = async (priority: Priority): Promise<LaneDepth> => {
    const info = await manager.consumers.info(stream, names.laneConsumer(carrier, priority));
    const next =
      info.num_pending === 0
        ? undefined
        : await streams.get(stream, {
            seq: info.delivered.stream_seq + 1,
            next_by_subj: names.laneFilter(carrier, priority),
          });
    return {
      waiting: info.num_pending,
      running: info.num_ack_pending,
      paused: info.paused === true,
      oldestAt: next?.headers?.get(ServerHeader.TimeStamp) ?? null,
      delivered: info.delivered.consumer_seq,
      acknowledged: info.ack_floor.consumer_seq,
    };
  };
  const before = await manager.streams.info(stream);
  const [delayed, ...lanes] = await Promise.all([
    streams.count(stream, names.delayedFilter(carrier)),
    ...PRIORITIES.map(readLane),
  ]);
  const { state } = await manager.streams.info(stream);
  const [high = 0, normal = 0, low = 0] = lanes.map((lane) => lane.waiting);
  const held = lanes.reduce((sum, lane) => sum + lane.running, 0);
  // At least this many were there all the time, whatever came and ended meanwhile.
  const stored = state.messages - (state.last_seq - before.state.last_seq);
  const running = Math.max(held, stored - high - normal - low - delayed);
  const oldest = lanes.flatMap(({ oldestAt }) => (oldestAt === null ? [] : [Date.parse(oldestAt)]));
  return {
    high,
    normal,
    low,
    delayed,
    running,
    paused: lanes.every((lane) => lane.paused),
    oldestWaitingAt: oldest.length === 0 ? null : new Date(Math.min(...oldest)).toISOString(),
    delivered: lanes.reduce((sum, lane) => sum + lane.delivered, 0),
    acknowledged: lanes.reduce((sum, lane) => sum + lane.acknowledged, 0),
  };
}
