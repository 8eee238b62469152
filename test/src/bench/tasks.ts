/** No-op tasks per second with stored results: the worker beside a loop that stores the same record and event by hand and acknowledges. */
import { setTimeout as delay } from 'node:timers/promises';
import type { JsMsg } from '@nats-io/jetstream';
import { compare, inParallel, rate, type Comparison } from './measure.js';
import { bareEnd, bareId, noop, type BareSetup, type Framework } from './subject.js';

const COUNT = 30_000;
const CONCURRENCY = 256;
const IN_FLIGHT = 1_000;
/** Between two looks at how many tasks have run, in milliseconds: well under a hundredth of a round. */
const LOOK_MS = 5;

export async function benchTasks(framework: Framework, bare: BareSetup, rounds: number): Promise<Comparison> {
  return compare(
    rounds,
    async () => {
      await inParallel(COUNT, IN_FLIGHT, (n) => framework.client.enqueue(noop, { n }));
      return drainWithWorker(framework);
    },
    () => drainByHand(bare),
  );
}

/** Tasks a second, of those that wait. */
export async function drainWithWorker({ client, worker, runs }: Framework): Promise<number> {
  const waiting = (await client.queues()).reduce((sum, queue) => sum + queue.normal, 0);
  const instance = worker(CONCURRENCY);
  const all = runs() + waiting;
  return rate(waiting, async () => {
    instance.start();
    // Counted as the loop by hand counts its own: to be told of each result would be work that only one side has.
    while (runs() < all) await delay(LOOK_MS);
    // Stopping waits for everything that is under way, records and events included: they count as work, too.
    await instance.stop();
  });
}

let bareRound = 0;

async function drainByHand(bare: BareSetup): Promise<number> {
  await enqueueByHand(bare, `tasks-${bareRound++}`, COUNT);
  const worker = await openBareWorker(bare, CONCURRENCY);
  return rate(worker.waiting, () => worker.drain());
}

export async function enqueueByHand(
  { publisher, taskSubject }: BareSetup,
  run: string,
  count: number,
): Promise<void> {
  await inParallel(count, IN_FLIGHT, (n) =>
    publisher.publish(taskSubject(bareId(run, n)), JSON.stringify({ n })),
  );
}

export interface BareWorker {
  /** Tasks in the queue when it was opened. */
  readonly waiting: number;
  /** Works until as many have ended. */
  drain: () => Promise<void>;
  ended: () => number;
}

/** The loop by hand, which works on tasks that are there already. */
export async function openBareWorker(bare: BareSetup, concurrency: number): Promise<BareWorker> {
  const handle = await bare.consumer();
  const { num_pending: waiting } = await handle.info();
  const messages = await handle.consume({ max_messages: concurrency });
  let ended = 0;
  const settle = async (message: JsMsg): Promise<void> => {
    await storeEnd(bare, message);
    message.ack();
    if (++ended === waiting) messages.stop();
  };
  return {
    waiting,
    ended: () => ended,
    drain: async () => {
      for await (const message of messages) void settle(message);
    },
  };
}

/** Runs the task, which does nothing, and stores its record and its event. */
export async function storeEnd(
  { publisher, resultSubject, eventSubject }: BareSetup,
  message: JsMsg,
): Promise<void> {
  const id = message.subject.slice(message.subject.lastIndexOf('.') + 1);
  message.json();
  const { record, event } = bareEnd(id);
  await Promise.all([publisher.publish(resultSubject(id), record), publisher.publish(eventSubject, event)]);
}
