/** The streams, consumers and buckets that a set of queues needs on the NATS server. */
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type StreamConfig,
} from '@nats-io/jetstream';
import { JobsError } from '../errors.js';
import { count, duration, replicas, retention, size, storage, timer } from '../values/bounds.js';
import { namesFor, PRIORITIES, requireToken, type Names, type Priority } from '../wire/names.js';
import { shardPlan, type QueueShards, type ShardPlan } from '../wire/shards.js';

export interface QueueOptions extends QueueShards {
  name: string;
  /** Share of a worker that serves several queues. Default `normal`. */
  weight?: Priority;
}

export interface TopologyOptions {
  /** First token of every subject. Default `stratum`. */
  prefix?: string;
  queues: readonly QueueOptions[];
  /** Copies of every stream in a NATS cluster. Default 1. */
  replicas?: number;
  /** Time until a lost worker's tasks are delivered to another worker, in milliseconds. Default 30,000. */
  ackWaitMs?: number;
  /** Deliveries after which a task whose workers keep dying becomes a dead letter. Default 5. */
  maxDeliver?: number;
  /** Retention of results, in milliseconds. Default 24 hours. */
  resultExpiresMs?: number;
  /** Larger payloads are refused, in bytes. Default 256 KiB: pass ids, not objects. */
  maxPayloadBytes?: number;
  /** Larger results are refused, in bytes, at least 2,048. Default 256 KiB. */
  maxResultBytes?: number;
  /** Retention of dead letters, in milliseconds. Default 30 days. */
  deadLettersExpireMs?: number;
  /** Retention of events, in milliseconds. Default 7 days. */
  eventsExpireMs?: number;
  /** Size limit of all events, in bytes. The oldest are dropped first, and the server reserves the space. Default: no limit. */
  eventsMaxBytes?: number;
  /** Retention of succeeded and cancelled workflows, in milliseconds. Default 7 days. Failed ones are kept as long as dead letters. */
  workflowsExpireMs?: number;
}

export interface Queue extends ShardPlan {
  readonly name: string;
  readonly weight: Priority;
}

export interface Topology {
  readonly names: Names;
  readonly queues: readonly Queue[];
  readonly ackWaitMs: number;
  readonly maxDeliver: number;
  readonly maxPayloadBytes: number;
  readonly maxResultBytes: number;
  /** Retention of results, in milliseconds. */
  readonly resultExpiresMs: number;
  readonly workflowsExpireMs: number;
  readonly failedWorkflowsExpireMs: number;
  readonly streams: readonly StreamDeclaration[];
  /** Finds a queue by name. Throws `invalid_options` with the known names. */
  queue(name: string): Queue;
}

export interface StreamDeclaration {
  readonly config: Partial<StreamConfig> & { name: string };
  readonly consumers: readonly (Partial<ConsumerConfig> & { durable_name: string })[];
}

/** Room for the facts of a task, however small its result. */
const recordSize = size.within({ min: 2_048 });
const DEFAULT_MAX_BYTES = 256 * 1024;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The durable consumer that reapers share. */
export const REAPER_CONSUMER = 'reaper';
/** The consumer that workflow maintenance reads published definitions from; several processes share it. */
export const WORKFLOW_START_CONSUMER = 'keeper';

/** Publishes with the same `Nats-Msg-Id` inside this window are stored once. */
const DUPLICATE_WINDOW_MS = 2 * 60_000;
/** Idle workers wait with one pull request per lane; this many may wait at once. */
const MAX_WAITING_PULLS = 2048;

/** Declares the topology; nothing is created until `reconcileTopology`. */
export function defineTopology(options: TopologyOptions): Topology {
  const copies = replicas.require('replicas', options.replicas ?? 1);
  const ackWaitMs = timer.within({ min: 1 }).require('ackWaitMs', options.ackWaitMs ?? 30_000);
  const maxDeliver = count.within({ min: 1 }).require('maxDeliver', options.maxDeliver ?? 5);
  const queues = options.queues.map(({ name, weight = 'normal', ...shards }) =>
    Object.freeze({ name: requireToken(name, 'The name of a queue'), weight, ...shardPlan(name, shards) }),
  );
  if (queues.length === 0) throw new JobsError('invalid_options', 'A topology needs at least one queue.');
  const byName = new Map(queues.map((queue) => [queue.name, queue]));
  if (byName.size !== queues.length) {
    throw new JobsError(
      'invalid_options',
      `Two queues have the same name: ${queues.map((q) => q.name).join(', ')}.`,
    );
  }
  const names = namesFor(options.prefix, byName);
  const carriers = queues.flatMap(({ name }) => names.carriers(name));
  const shared = { storage: StorageType.File, num_replicas: copies };
  const deadLettersExpireMs = retention.require(
    'deadLettersExpireMs',
    options.deadLettersExpireMs ?? 30 * DAY_MS,
  );
  const resultExpiresMs = retention.require('resultExpiresMs', options.resultExpiresMs ?? DAY_MS);
  const workflowsExpireMs = duration
    .within({ min: 1 })
    .require('workflowsExpireMs', options.workflowsExpireMs ?? 7 * DAY_MS);
  return Object.freeze({
    names,
    queues: Object.freeze(queues),
    ackWaitMs,
    maxDeliver,
    maxPayloadBytes: size.require('maxPayloadBytes', options.maxPayloadBytes ?? DEFAULT_MAX_BYTES),
    maxResultBytes: recordSize.require('maxResultBytes', options.maxResultBytes ?? DEFAULT_MAX_BYTES),
    resultExpiresMs,
    workflowsExpireMs,
    // Replaying the dead letter of a failed step resumes its workflow, so the workflow has to be there.
    failedWorkflowsExpireMs: Math.max(workflowsExpireMs, deadLettersExpireMs),
    streams: Object.freeze([
      ...carriers.map((carrier) => queueStream(names, carrier, { ...shared, ackWaitMs, maxDeliver })),
      advisoryStream(names, carriers, { ...shared, ackWaitMs }),
      logStream(names.deadStream, names.deadFilter, deadLettersExpireMs, shared),
      logStream(names.deadIndexStream, names.deadIndexFilter, deadLettersExpireMs, shared),
      eventStream(names, options, shared),
      resultBucket(names, resultExpiresMs, shared),
      keyValueBucket(names.controlStream, names.controlKeyFilter, shared),
      keyValueBucket(names.lockStream, names.lockKeyFilter, shared),
      keyValueBucket(names.scheduleStream, names.scheduleKeyFilter, shared),
      keyValueBucket(names.stepStream, names.stepFilter, shared),
      workflowBucket(names, shared),
      workflowStarts(names, { ...shared, ackWaitMs }),
    ]),
    queue: (name: string) => {
      const queue = byName.get(name);
      if (queue) return queue;
      throw new JobsError(
        'invalid_options',
        `There is no queue "${name}". The queues are: ${[...byName.keys()].join(', ')}.`,
        { details: { queue: name } },
      );
    },
  });
}

/** Options that define the same queues, limits and names: a topology itself cannot be cloned into another thread. */
export function optionsOfTopology({
  names,
  queues,
  ackWaitMs,
  maxDeliver,
  maxPayloadBytes,
  maxResultBytes,
  resultExpiresMs,
  workflowsExpireMs,
}: Topology): TopologyOptions {
  return {
    prefix: names.prefix,
    queues: queues.map((queue) => ({ ...queue })),
    ackWaitMs,
    maxDeliver,
    maxPayloadBytes,
    maxResultBytes,
    resultExpiresMs,
    workflowsExpireMs,
  };
}

interface Shared {
  storage: StorageType;
  num_replicas: number;
}

function queueStream(
  names: Names,
  carrier: string,
  { ackWaitMs, maxDeliver, ...shared }: Shared & { ackWaitMs: number; maxDeliver: number },
): StreamDeclaration {
  return {
    config: {
      ...shared,
      name: names.queueStream(carrier),
      description: `Tasks of the queue "${carrier}", now and later`,
      subjects: [names.tasksFilter(carrier), names.delayedFilter(carrier)],
      retention: RetentionPolicy.Workqueue,
      allow_direct: true,
      allow_msg_schedules: true,
      allow_msg_ttl: true,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    },
    consumers: PRIORITIES.map((priority) => ({
      durable_name: names.laneConsumer(carrier, priority),
      filter_subject: names.laneFilter(carrier, priority),
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ackWaitMs),
      max_deliver: maxDeliver,
      // Workers request only as many tasks as they have room for. A limit here could only delay one tenant because of another.
      max_ack_pending: -1,
      max_waiting: MAX_WAITING_PULLS,
    })),
  };
}

/** Each advisory is processed once, by one of the reapers. */
function advisoryStream(
  names: Names,
  carriers: readonly string[],
  { ackWaitMs, ...shared }: Shared & { ackWaitMs: number },
): StreamDeclaration {
  return {
    config: {
      ...shared,
      name: names.advisoryStream,
      description: 'Messages that lost their workers too often',
      subjects: carriers.map((carrier) => names.advisoryFilter(carrier)),
      retention: RetentionPolicy.Workqueue,
      allow_direct: true,
    },
    consumers: [
      {
        durable_name: REAPER_CONSUMER,
        deliver_policy: DeliverPolicy.All,
        replay_policy: ReplayPolicy.Instant,
        ack_policy: AckPolicy.Explicit,
        ack_wait: nanos(ackWaitMs),
        max_ack_pending: -1,
      },
    ],
  };
}

function logStream(name: string, filter: string, expiresMs: number, shared: Shared): StreamDeclaration {
  return {
    config: {
      ...shared,
      name,
      subjects: [filter],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: nanos(expiresMs),
      allow_direct: true,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    },
    consumers: [],
  };
}

function eventStream(
  names: Names,
  { eventsExpireMs = 7 * DAY_MS, eventsMaxBytes }: TopologyOptions,
  shared: Shared,
): StreamDeclaration {
  const expiresMs = retention.require('eventsExpireMs', eventsExpireMs);
  const stream = logStream(names.eventStream, names.eventFilter, expiresMs, shared);
  if (eventsMaxBytes === undefined) return stream;
  return {
    ...stream,
    config: { ...stream.config, max_bytes: storage.require('eventsMaxBytes', eventsMaxBytes) },
  };
}

/** Laid out as a NATS key-value bucket, so that `nats kv get task_results <id>` and every client's key-value API read it. */
function resultBucket(names: Names, expiresMs: number, shared: Shared): StreamDeclaration {
  return {
    config: {
      ...shared,
      name: names.resultStream,
      subjects: [names.resultKeyFilter],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_msgs_per_subject: 1,
      max_age: nanos(expiresMs),
      allow_direct: true,
      allow_rollup_hdrs: true,
      allow_msg_ttl: true,
      deny_delete: true,
      duplicate_window: nanos(Math.min(DUPLICATE_WINDOW_MS, expiresMs)),
      // Clients that wait for a result receive it when it is stored, without polling and without a consumer.
      republish: { src: names.resultKeyFilter, dest: names.resultNoticeFilter },
    },
    consumers: [],
  };
}

/** A key-value bucket as well. Temporary entries carry a time to live of their own. */
function keyValueBucket(stream: string, filter: string, shared: Shared): StreamDeclaration {
  return {
    config: {
      ...shared,
      name: stream,
      subjects: [filter],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_msgs_per_subject: 1,
      allow_direct: true,
      allow_rollup_hdrs: true,
      allow_msg_ttl: true,
      deny_delete: true,
    },
    consumers: [],
  };
}

/** Clients that wait for the end of a workflow receive it in the same way as a result. */
function workflowBucket(names: Names, shared: Shared): StreamDeclaration {
  const bucket = keyValueBucket(names.workflowStream, names.workflowKeyFilter, shared);
  const republish = { src: names.workflowKey('state.*'), dest: names.workflowNotice('{{wildcard(1)}}') };
  return { ...bucket, config: { ...bucket.config, republish } };
}

/** Definitions that NATS clients publish. Workflow maintenance starts each of them once. */
function workflowStarts(
  names: Names,
  { ackWaitMs, ...shared }: Shared & { ackWaitMs: number },
): StreamDeclaration {
  return {
    config: {
      ...shared,
      name: names.workflowStartStream,
      description: 'Workflows to start',
      subjects: [names.workflowStartFilter],
      retention: RetentionPolicy.Workqueue,
      allow_direct: true,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    },
    consumers: [
      {
        durable_name: WORKFLOW_START_CONSUMER,
        deliver_policy: DeliverPolicy.All,
        replay_policy: ReplayPolicy.Instant,
        ack_policy: AckPolicy.Explicit,
        ack_wait: nanos(ackWaitMs),
        max_ack_pending: -1,
      },
    ],
  };
}

function nanos(milliseconds: number): number {
  return milliseconds * 1_000_000;
}
