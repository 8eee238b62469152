/** Great numbers of waiting and delayed tasks: how fast one worker drains them and what it holds in memory, and how many start late when all come due at once. */
import { setTimeout as delay } from 'node:timers/promises';
import { headers as newHeaders, type NatsConnection } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { createWorker, defineTask, handleTask } from '@stratum/jobs';
import { z } from 'zod';
import { waitFor } from '../harness/wait-for.js';
import { inParallel, rate } from './measure.js';
import { noop, openBare, openFramework, type Framework } from './subject.js';
import { enqueueByHand, openBareWorker } from './tasks.js';

export interface BacklogFigures {
  waiting: {
    tasks: number;
    enqueuedPerSecond: number;
    /** One for each tenth that the worker drained, beside the loop by hand on a queue of the same length. */
    drained: (Part & { bareTasksPerSecond: number })[];
  };
  delayed: {
    tasks: number;
    /** Different tasks that started. */
    started: number;
    /** After the end of the second in which they came due. */
    lastStartMs: number;
    /** The same for as many messages that the broker's own schedule puts into a stream and nobody takes. */
    bareLastMs: number;
  };
}

interface Part {
  /** Tasks that waited at its beginning. */
  from: number;
  tasksPerSecond: number;
  heapMiB: number;
  rssMiB: number;
}

const IN_FLIGHT = 1_000;
const CONCURRENCY = 256;
const PARTS = 10;
const LOOK_MS = 5;
const SECOND_MS = 1_000;
const LIMIT_MS = 600_000;
/** Storing a delayed task takes well under this, in milliseconds. */
const STORE_MS = 0.2;
const LEAD_MS = 5_000;
const MIB = 2 ** 20;

export async function benchBacklog(
  connection: NatsConnection,
  sizes: { waiting: number; delayed: number },
  say: (message: string) => void,
): Promise<BacklogFigures> {
  const framework = await openFramework(connection, 'backlog');
  try {
    say(`${sizes.waiting.toLocaleString('en')} tasks are enqueued and drained`);
    const { enqueuedPerSecond, parts } = await drain(framework, sizes.waiting);
    const byHand = await drainByHand(connection, sizes.waiting);
    const waiting = {
      tasks: sizes.waiting,
      enqueuedPerSecond,
      drained: parts.map((part, index) => ({
        ...part,
        bareTasksPerSecond: byHand[index]?.tasksPerSecond ?? Number.NaN,
      })),
    };
    say(`${sizes.delayed.toLocaleString('en')} tasks are delayed into one second`);
    const delayed = await comeDue(connection, framework, sizes.delayed);
    const bareLastMs = await comeDueByHand(connection, framework, sizes.delayed);
    return { waiting, delayed: { tasks: sizes.delayed, ...delayed, bareLastMs } };
  } finally {
    await framework.client.close();
  }
}

async function drain(
  { client, worker }: Framework,
  tasks: number,
): Promise<{ enqueuedPerSecond: number; parts: Part[] }> {
  const enqueuedPerSecond = await rate(tasks, () =>
    inParallel(tasks, IN_FLIGHT, (n) => client.enqueue(noop, { n })),
  );
  const instance = worker(CONCURRENCY);
  instance.start();
  const parts = await inTenths(tasks, () => instance.stats().succeeded);
  await instance.stop();
  return { enqueuedPerSecond, parts };
}

async function drainByHand(connection: NatsConnection, tasks: number): Promise<Part[]> {
  const bare = await openBare(connection, 'bare');
  await enqueueByHand(bare, 'backlog', tasks);
  const worker = await openBareWorker(bare, CONCURRENCY);
  const drained = worker.drain();
  const parts = await inTenths(tasks, worker.ended);
  await drained;
  await bare.publisher.close();
  return parts;
}

async function inTenths(tasks: number, ended: () => number): Promise<Part[]> {
  const parts: Part[] = [];
  for (let part = 0; part < PARTS; part++) {
    const from = Math.round(tasks * (1 - part / PARTS));
    const until = Math.round(tasks * (1 - (part + 1) / PARTS));
    const tasksPerSecond = await rate(from - until, async () => {
      while (ended() < tasks - until) await delay(LOOK_MS);
    });
    const { heapUsed, rss } = process.memoryUsage();
    parts.push({ from, tasksPerSecond, heapMiB: Math.round(heapUsed / MIB), rssMiB: Math.round(rss / MIB) });
  }
  return parts;
}

const timed = defineTask({
  name: 'timed',
  queue: noop.queue,
  input: z.object({ n: z.number() }),
  output: z.null(),
  ignoreResult: true,
});

/** When the second begins in which `count` tasks come due, and the moment of each. */
function dueTimes(count: number): { secondEnds: number; at: (index: number) => Date } {
  const begins = Date.now() + LEAD_MS + count * STORE_MS;
  return {
    secondEnds: begins + SECOND_MS,
    at: (index) => new Date(begins + Math.floor((index * SECOND_MS) / count)),
  };
}

async function comeDue(
  connection: NatsConnection,
  { client, topology }: Framework,
  count: number,
): Promise<{ started: number; lastStartMs: number }> {
  const seen = new Set<number>();
  let last = 0;
  const worker = createWorker({
    connection,
    topology,
    queues: [noop.queue],
    concurrency: CONCURRENCY,
    handlers: [
      handleTask(timed, ({ n }) => {
        seen.add(n);
        last = Date.now();
        return null;
      }),
    ],
  });
  worker.start();
  const { at, secondEnds } = dueTimes(count);
  await inParallel(count, IN_FLIGHT, (n) => client.enqueue(timed, { n }, { eta: at(n) }));
  if (Date.now() >= secondEnds - SECOND_MS) throw new Error('the tasks came due before all were stored');
  await waitFor('all to start', () => seen.size === count, LIMIT_MS);
  await worker.stop();
  return { started: seen.size, lastStartMs: last - secondEnds };
}

async function comeDueByHand(
  connection: NatsConnection,
  { topology: { names } }: Framework,
  count: number,
): Promise<number> {
  const { at, secondEnds } = dueTimes(count);
  for (let index = 0; index < count; index++) {
    const id = `bare-${index}`;
    const headers = newHeaders();
    headers.set('Nats-Schedule', `@at ${at(index).toISOString()}`);
    headers.set(
      'Nats-Schedule-Target',
      names.taskSubject({ queue: noop.queue, priority: 'normal', tenant: undefined, task: timed.name, id }),
    );
    connection.publish(names.delayedSubject(noop.queue, id), '{}', { headers });
    if (index % IN_FLIGHT === 0) await connection.flush();
  }
  const { streams } = await jetstreamManager(connection);
  const stream = names.queueStream(noop.queue);
  const delayed = names.delayedSubject(noop.queue, '*');
  await delay(Math.max(0, secondEnds - SECOND_MS - Date.now()));
  const waiting = async (): Promise<number> => {
    const { state } = await streams.info(stream, { subjects_filter: delayed });
    return Object.keys(state.subjects ?? {}).length;
  };
  await waitFor('all to leave the schedule', async () => (await waiting()) === 0, LIMIT_MS);
  return Date.now() - secondEnds;
}
