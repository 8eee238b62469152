/** How fast one process replays and discards dead letters, and what each costs it. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { createReaper, createWorker, handleTask, TaskError } from '@stratum/jobs';
import { pino } from 'pino';
import { waitFor } from '../harness/wait-for.js';
import { inParallel } from './measure.js';
import { noop, openFramework, type Framework } from './subject.js';

interface Figure {
  perSecond: number;
  /** Processor time of this process for each letter; the broker's is its own. */
  processMicroseconds: number;
}

export interface DeadLetterFigures {
  letters: number;
  replayed: Figure;
  discarded: Figure;
}

const IN_FLIGHT = 1_000;
const CONCURRENCY = 256;
const LIMIT_MS = 300_000;
/** High enough to be no limit. */
const RATE = 100_000;

export async function benchDeadLetters(
  connection: NatsConnection,
  letters: number,
): Promise<DeadLetterFigures> {
  const framework = await openFramework(connection, 'letters');
  const { client, topology } = framework;
  const reaper = createReaper({ connection, topology });
  reaper.start();
  try {
    await inParallel(letters, IN_FLIGHT, (n) => client.enqueue(noop, { n }));
    await failAll(connection, framework, letters);
    const replayed = await measure(letters, client.deadLetters.replayMany({}, { ratePerSecond: RATE }));
    await failAll(connection, framework, letters);
    const discarded = await measure(letters, client.deadLetters.discardMany({}));
    return { letters, replayed, discarded };
  } finally {
    await reaper.stop();
    await client.close();
  }
}

/** Ends each waiting task for good. */
async function failAll(connection: NatsConnection, { topology }: Framework, count: number): Promise<void> {
  const worker = createWorker({
    connection,
    topology,
    queues: [noop.queue],
    concurrency: CONCURRENCY,
    logger: pino({ level: 'silent' }),
    handlers: [
      handleTask(noop, () => {
        throw new TaskError('broken', { retryable: false });
      }),
    ],
  });
  worker.start();
  const { streams } = await jetstreamManager(connection);
  const dead = async (): Promise<number> => (await streams.info(topology.names.deadStream)).state.messages;
  await waitFor('all to fail', async () => (await dead()) === count, LIMIT_MS);
  await worker.stop();
}

async function measure(letters: number, each: AsyncIterable<unknown>): Promise<Figure> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  let count = 0;
  for await (const _ of each) count++;
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  if (count !== letters) throw new Error(`${count} of ${letters} letters were dealt with`);
  return { perSecond: letters / seconds, processMicroseconds: (user + system) / letters };
}
