/** No-op tasks per second with stored results: the worker beside a loop that stores the same record and event by hand and acknowledges. */
import { EventEmitter, once } from 'node:events';
import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Topology } from '@stratum/jobs';
import { compare, inParallel, rate, type Comparison } from './measure.js';
import { bareEnd, noop, type BareSetup, type Framework } from './subject.js';

const COUNT = 30_000;
const CONCURRENCY = 256;
const IN_FLIGHT = 1_000;

export async function benchTasks(
  connection: NatsConnection,
  framework: Framework,
  bare: BareSetup,
  rounds: number,
): Promise<Comparison> {
  return compare(
    rounds,
    () => drainWithWorker(connection, framework),
    () => drainByHand(bare),
  );
}

async function drainWithWorker(
  connection: NatsConnection,
  { client, worker, topology }: Framework,
): Promise<number> {
  await inParallel(COUNT, IN_FLIGHT, (n) => client.enqueue(noop, { n }));
  const waiting = (await client.queues()).reduce((sum, queue) => sum + queue.normal, 0);
  const instance = worker(CONCURRENCY);
  return rate(waiting, async () => {
    instance.start();
    await drained(connection, topology, waiting);
    // Stopping waits for everything that is under way, the events included: they count as work, too.
    await instance.stop();
  });
}

/** Resolves when so many results have been stored. */
export async function drained(connection: NatsConnection, topology: Topology, count: number): Promise<void> {
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

let bareRound = 0;

async function drainByHand(bare: BareSetup): Promise<number> {
  const { publisher, taskSubject } = bare;
  const round = bareRound++;
  const handle = await bare.consumer();
  await inParallel(COUNT, IN_FLIGHT, (n) =>
    publisher.publish(taskSubject(`tasks-${round}-${n}`), JSON.stringify({ n })),
  );
  const waiting = (await handle.info()).num_pending;
  const messages = await handle.consume({ max_messages: CONCURRENCY });
  let finished = 0;
  const settle = async (message: JsMsg): Promise<void> => {
    await storeEnd(bare, message);
    message.ack();
    if (++finished === waiting) messages.stop();
  };
  return rate(waiting, async () => {
    for await (const message of messages) void settle(message);
  });
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
