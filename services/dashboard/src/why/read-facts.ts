/** The facts of one task, from the broker and now. */
import { jetstreamManager } from '@nats-io/jetstream';
import { PRIORITIES, ServerHeader, type TaskRecord } from '@stratum/jobs';
import { readBatch, TaskHeader } from '@stratum/jobs/internal';
import type { DashboardResources } from '../http/types.js';
import type { RunView } from '@stratum/shared/task-history';
import type { WhyFacts } from './findings.js';

const MAX_BYTES = 1_048_576;

type Sources = Pick<DashboardResources, 'connection' | 'topology' | 'client' | 'snapshots'>;

export async function readFacts(
  sources: Sources,
  record: TaskRecord | null,
  run: RunView | undefined,
  id: string,
): Promise<WhyFacts> {
  const queue = record?.queue ?? run?.queue ?? '';
  const task = record?.task ?? run?.task ?? '';
  const priority = record?.priority ?? run?.priority ?? 'normal';
  const isServed = sources.topology.queues.some(({ name }) => name === queue);
  const { control } = sources.client;
  const ofPlace = async () => {
    if (!isServed) return { sequence: null, dueAt: null, lanes: [], keyWait: null, circuit: null };
    const { carrier, gate, ...place } = await placeOf(sources, queue, id);
    const [lanes, keys, circuits] = await Promise.all([
      lanesOf(sources, carrier),
      // Few tasks wait at a limit by key, and the list of all who do is long.
      gate === '' ? [] : control.keyWaits(),
      gate === '' ? [] : control.circuits(),
    ]);
    const keyWait = keys.find((each) => each.gate === gate) ?? null;
    const circuit = circuits.find(({ line }) => line === gate);
    return {
      ...place,
      lanes,
      keyWait,
      circuit: circuit === undefined ? null : { ...circuit, retryAt: circuit.retry_at },
    };
  };
  const [{ sequence, dueAt, lanes, keyWait, circuit }, workers, rates] = await Promise.all([
    ofPlace(),
    control.workers(),
    control.rateWaits(),
  ]);
  const own = PRIORITIES.indexOf(priority);
  return {
    now: new Date(),
    task,
    queue,
    state: record?.state ?? run?.state ?? '',
    worker: record?.worker ?? run?.worker ?? null,
    startedAt: record?.started_at ?? run?.started_at ?? null,
    finishedAt: record?.finished_at ?? run?.finished_at ?? null,
    lastError:
      run?.error_type === undefined || run.error_type === null
        ? null
        : `${run.error_type}: ${run.error_message ?? ''}`,
    sequence,
    dueAt,
    lane: lanes[own] ?? null,
    waitingBefore: lanes.slice(0, own).reduce((sum, { waiting }) => sum + waiting, 0),
    workers,
    rate: rates.find((each) => each.task === task) ?? null,
    keyWait,
    waitsFor: record?.waits_for ?? null,
    circuit,
    outPerS: sources.snapshots.current.queues.find((each) => each.queue === queue)?.out_per_s ?? null,
  };
}

/** Where it is stored, in which part of its queue, when it is due, and the limit by key that it waits at. */
async function placeOf(
  { connection, topology: { names } }: Sources,
  queue: string,
  id: string,
): Promise<Pick<WhyFacts, 'sequence' | 'dueAt'> & { carrier: string; gate: string }> {
  const places = await Promise.all(
    names.carriers(queue).map((carrier) => placeIn(connection, names, carrier, id)),
  );
  const found = places.find(({ sequence, dueAt }) => sequence !== null || dueAt !== null);
  return found ?? { sequence: null, dueAt: null, carrier: queue, gate: '' };
}

async function placeIn(
  connection: Sources['connection'],
  names: Sources['topology']['names'],
  carrier: string,
  id: string,
): ReturnType<typeof placeOf> {
  const first = { seq: 1, batch: 1, max_bytes: MAX_BYTES };
  const stream = names.queueStream(carrier);
  const [[waiting], [delayed]] = await Promise.all([
    readBatch(connection, stream, { ...first, next_by_subj: names.taskById(carrier, id) }),
    readBatch(connection, stream, { ...first, next_by_subj: names.delayedSubject(carrier, id) }),
  ]);
  const [, at] = /^@at (.+)$/.exec(delayed?.headers.get(ServerHeader.Schedule) ?? '') ?? [];
  return {
    carrier,
    gate: delayed?.headers.get(TaskHeader.KeyWait) ?? '',
    sequence: waiting?.seq ?? null,
    dueAt: at === undefined || Number.isNaN(Date.parse(at)) ? null : new Date(at).toISOString(),
  };
}

/** In the order in which they are taken. */
async function lanesOf(
  { connection, topology: { names } }: Sources,
  carrier: string,
): Promise<NonNullable<WhyFacts['lane']>[]> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  return Promise.all(
    PRIORITIES.map(async (priority) => {
      const info = await manager.consumers.info(
        names.queueStream(carrier),
        names.laneConsumer(carrier, priority),
      );
      return {
        paused: info.paused === true,
        delivered: info.delivered.stream_seq,
        waiting: info.num_pending,
      };
    }),
  );
}
