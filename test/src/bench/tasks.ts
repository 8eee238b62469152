/** No-op tasks per second with stored results: the worker beside `consume`, `publish` and `ack` of the library. */
import { EventEmitter, once } from 'node:events';
import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Topology } from '@stratum/jobs';
import { compare, inParallel, rate, type Comparison } from './measure.js';
import { bareRecord, noop, type BareSetup, type Framework } from './subject.js';

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

async function drainByHand({ js, stream, consumer, taskSubject, resultSubject }: BareSetup): Promise<number> {
  const round = bareRound++;
  const handle = await js.consumers.get(stream, consumer);
  await inParallel(COUNT, IN_FLIGHT, (n) =>
    js.publish(taskSubject(`tasks-${round}-${n}`), JSON.stringify({ n })),
  );
  const waiting = (await handle.info()).num_pending;
  const messages = await handle.consume({ max_messages: CONCURRENCY });
  let finished = 0;
  const settle = async (message: JsMsg, id: string): Promise<void> => {
    await js.publish(resultSubject(id), bareRecord(id));
    message.ack();
    if (++finished === waiting) messages.stop();
  };
  const perSecond = await rate(waiting, async () => {
    for await (const message of messages) {
      const id = message.subject.slice(message.subject.lastIndexOf('.') + 1);
      void settle(message, id);
    }
  });
  return perSecond;
}
