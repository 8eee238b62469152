/** What the benchmarks of the framework run on: one queue, one task that does nothing, and the same by hand. */
import {
  AckPolicy,
  DiscardPolicy,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type Consumer,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  createClient,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  reconcileTopology,
  type JobsClient,
  type TaskEvent,
  type TaskRecord,
  type Topology,
  type Worker,
} from '@stratum/jobs';
import { AckMultiplexer } from '@stratum/jobs/internal';
import { z } from 'zod';

const EVENTS_MAX_BYTES = 2 ** 30;
const EVENT_ID_LENGTH = 26;
/** Of the framework's ids. */
const ID_LENGTH = 36;

export const noop = defineTask({
  name: 'noop',
  queue: 'bench',
  input: z.object({ n: z.number() }),
  output: z.object({ ok: z.boolean() }),
});

export interface Framework {
  topology: Topology;
  client: JobsClient;
  worker: (concurrency: number) => Worker;
  /** How often the task has run. */
  runs: () => number;
}

/** The framework under a prefix of its own. */
export async function openFramework(
  connection: NatsConnection,
  prefix: string,
  shards = 1,
): Promise<Framework> {
  const topology = defineTopology({ prefix, queues: [{ name: noop.queue, shards }] });
  await reconcileTopology(connection, topology);
  let runs = 0;
  return {
    topology,
    runs: () => runs,
    client: createClient({ connection, topology }),
    worker: (concurrency) =>
      createWorker({
        connection,
        topology,
        queues: [noop.queue],
        handlers: [
          handleTask(noop, () => {
            runs++;
            return { ok: true };
          }),
        ],
        concurrency,
      }),
  };
}

/** The least code that does the same durable work: publishes over one multiplexer of acknowledgements, and consumes with the client library. */
export interface BareSetup {
  publisher: AckMultiplexer;
  consumer: () => Promise<Consumer>;
  taskSubject: (id: string) => string;
  resultSubject: (id: string) => string;
  eventSubject: string;
}

/** Streams of the same settings as the framework's, used by hand. */
export async function openBare(connection: NatsConnection, prefix: string): Promise<BareSetup> {
  const manager = await jetstreamManager(connection);
  const stream = `${prefix}_TASKS`;
  await manager.streams.add({
    name: stream,
    subjects: [`${prefix}.tasks.>`],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
  });
  const consumer = 'worker';
  await manager.consumers.add(stream, {
    durable_name: consumer,
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: -1,
  });
  await manager.streams.add({
    name: `KV_${prefix}_results`,
    subjects: [`$KV.${prefix}_results.>`],
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    allow_direct: true,
    allow_rollup_hdrs: true,
  });
  await manager.streams.add({
    name: `${prefix}_EVENTS`,
    subjects: [`${prefix}.events.>`],
    storage: StorageType.File,
    max_bytes: EVENTS_MAX_BYTES,
  });
  return {
    publisher: new AckMultiplexer(connection),
    consumer: () => jetstream(connection).consumers.get(stream, consumer),
    taskSubject: (id) => `${prefix}.tasks.bench.normal._.noop.${id}`,
    resultSubject: (id) => `$KV.${prefix}_results.${id}`,
    eventSubject: `${prefix}.events.bench.noop.success`,
  };
}

/** An id for the bare side, as long as the framework's. */
export function bareId(run: string, n: number): string {
  return `${run}-${String(n).padStart(ID_LENGTH - run.length - 1, '0')}`;
}

/** The record and the event that the bare worker stores: as large as the framework's. */
export function bareEnd(id: string): { record: string; event: string } {
  const now = new Date().toISOString();
  const record = {
    id,
    task: noop.name,
    queue: noop.queue,
    tenant: null,
    priority: 'normal',
    state: 'SUCCESS',
    retries: 0,
    worker: 'bare-worker-00000',
    result: { ok: true },
    error: null,
    progress: null,
    enqueued_at: now,
    started_at: now,
    finished_at: now,
    runtime_ms: 0,
    parent_id: null,
    root_id: id,
  } satisfies TaskRecord;
  const { result: _, ...event } = record;
  const history = {
    at: now,
    event_id: `bench.${id}.success`.slice(0, EVENT_ID_LENGTH),
    attempt: 1,
    delivery: 1,
    ready_at: now,
    worker_version: '0.1.0',
  } satisfies Partial<TaskEvent>;
  return { record: JSON.stringify(record), event: JSON.stringify({ ...event, ...history }) };
}
