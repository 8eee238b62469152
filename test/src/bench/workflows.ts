/** A chord of many members beside as many plain tasks: what it costs that somebody waits for all of them. */
import { EventEmitter, once } from 'node:events';
import { chord, createWorker, defineTask, handleTask, step, type Topology } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { median } from './measure.js';
import { noop, type Framework } from './subject.js';

const CONCURRENCY = 256;

const gather = defineTask({
  name: 'gather',
  queue: noop.queue,
  input: z.object({ results: z.array(z.object({ ok: z.boolean() })) }),
  output: z.object({ members: z.int() }),
});

export interface WorkflowFigures {
  members: number;
  /** Until all are enqueued, and until the last result is there. */
  chord: { startSeconds: number; seconds: number; membersPerSecond: number };
  plain: { seconds: number; tasksPerSecond: number };
  /** Members a second ÷ plain tasks a second. */
  ratio: number;
  /** Of a chain of 1,000 steps that take the result before. */
  stepMilliseconds: number;
}

export async function benchWorkflows(
  connection: NatsConnection,
  { client, topology }: Framework,
  { members, rounds, workers }: { members: number; rounds: number; workers: number },
): Promise<WorkflowFigures> {
  const handlers = [
    handleTask(noop, () => ({ ok: true })),
    handleTask(gather, ({ results }) => ({ members: results.length })),
  ];
  const instances = Array.from({ length: workers }, () =>
    createWorker({
      connection,
      topology,
      queues: [noop.queue],
      handlers,
      concurrency: CONCURRENCY / workers,
    }),
  );
  for (const instance of instances) instance.start();
  const chords: { startSeconds: number; seconds: number }[] = [];
  const plains: number[] = [];
  for (let round = 0; round < rounds; round++) {
    plains.push(await runPlain(connection, { client, topology }, members));
    chords.push(await runChord(client, members));
  }
  const stepMilliseconds = await runChain(client);
  await Promise.all(instances.map((instance) => instance.stop()));
  const seconds = median(chords.map((each) => each.seconds));
  const plainSeconds = median(plains);
  return {
    members,
    chord: {
      startSeconds: median(chords.map((each) => each.startSeconds)),
      seconds,
      membersPerSecond: members / seconds,
    },
    plain: { seconds: plainSeconds, tasksPerSecond: members / plainSeconds },
    ratio: plainSeconds / seconds,
    stepMilliseconds,
  };
}

async function runPlain(
  connection: NatsConnection,
  { client, topology }: Pick<Framework, 'client' | 'topology'>,
  count: number,
): Promise<number> {
  const startedAt = performance.now();
  const items = Array.from({ length: count }, (_, n) => ({ payload: { n } }));
  const done = drained(connection, topology, count);
  await client.enqueueMany(noop, items);
  await done;
  return (performance.now() - startedAt) / 1000;
}

/** Resolves when so many results have been stored. */
async function drained(connection: NatsConnection, topology: Topology, count: number): Promise<void> {
  const done = new EventEmitter();
  const all = once(done, 'all');
  let stored = 0;
  const notices = connection.subscribe(topology.names.resultNoticeFilter, {
    callback: () => {
      if (++stored === count) done.emit('all');
    },
  });
  await all;
  notices.unsubscribe();
}

async function runChord(
  client: Framework['client'],
  count: number,
): Promise<{ startSeconds: number; seconds: number }> {
  const startedAt = performance.now();
  const header = Array.from({ length: count }, (_, n) => step(noop, { n }));
  const callback = step(gather, {}, { with: { results: '$previous' } });
  const { id } = await client.workflows.start(chord(header, callback));
  const startSeconds = (performance.now() - startedAt) / 1000;
  const { state, result } = await client.workflows.result(id, { timeoutMs: 120_000 });
  if (state !== 'SUCCESS' || JSON.stringify(result) !== JSON.stringify({ members: count }))
    throw new Error(`The chord ended as ${state}: ${JSON.stringify(result)}`);
  return { startSeconds, seconds: (performance.now() - startedAt) / 1000 };
}

const CHAIN_STEPS = 1_000;

async function runChain(client: Framework['client']): Promise<number> {
  const startedAt = performance.now();
  const steps = Array.from({ length: CHAIN_STEPS }, (_, n) => step(noop, { n }));
  const { id } = await client.workflows.start({ chain: steps });
  await client.workflows.result(id, { timeoutMs: 120_000 });
  return (performance.now() - startedAt) / CHAIN_STEPS;
}
