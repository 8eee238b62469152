/** Consumers of streams other than the queues: answers and leases, as the server sees them. */
import { AckPolicy, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { StreamConsumer, type PulledMessage } from '@stratum/jobs/internal';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { testNamespace, waitFor } from '../harness/index.js';

const ACK_WAIT_MS = 1_000;

interface Opened {
  publish: (body: string) => Promise<void>;
  consume: (
    process: (message: PulledMessage) => Promise<void>,
    options?: { concurrency?: number },
  ) => StreamConsumer;
  /** Messages that the server has not been told the end of. */
  unanswered: () => Promise<number>;
  errors: unknown[];
}

async function open(): Promise<Opened> {
  const { connection, prefix } = await testNamespace();
  const manager: JetStreamManager = await jetstreamManager(connection);
  const stream = `${prefix}_NOTES`;
  await manager.streams.add({ name: stream, subjects: [`${prefix}.notes`], retention: 'workqueue' });
  await manager.consumers.add(stream, {
    durable_name: 'reader',
    ack_policy: AckPolicy.Explicit,
    ack_wait: ACK_WAIT_MS * 1_000_000,
  });
  const errors: unknown[] = [];
  return {
    errors,
    publish: async (body) => {
      await connection.request(`${prefix}.notes`, body);
    },
    consume: (process, { concurrency = 4 } = {}) => {
      const consumer = new StreamConsumer({
        connection,
        stream,
        consumer: 'reader',
        ackWaitMs: ACK_WAIT_MS,
        concurrency,
        process,
        onError: (error) => errors.push(error),
        logger: pino({ level: 'silent' }),
      });
      onTestFinished(() => consumer.stop());
      consumer.start();
      return consumer;
    },
    unanswered: async () => (await manager.streams.info(stream)).state.messages,
  };
}

const textOf = (message: PulledMessage): string => Buffer.from(message.data).toString();

test('a message that is acknowledged is delivered once', async () => {
  const { publish, consume, unanswered } = await open();
  const seen: [string, number][] = [];
  consume(async (message) => {
    seen.push([textOf(message), message.deliveries]);
    message.ack();
  });
  for (const body of ['a', 'b', 'c']) await publish(body);
  await waitFor('an empty stream', async () => (await unanswered()) === 0);
  expect(seen).toEqual([
    ['a', 1],
    ['b', 1],
    ['c', 1],
  ]);
});

test('processing that takes longer than the ack wait keeps its message', async () => {
  const { publish, consume, unanswered } = await open();
  const deliveries: number[] = [];
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  consume(async (message) => {
    deliveries.push(message.deliveries);
    if (textOf(message) === 'long') await finished;
    // The other one comes again and again, so that it measures the ack waits that have gone by.
    if (textOf(message) === 'clock' && message.deliveries < 4) return;
    if (textOf(message) === 'clock') finish();
    message.ack();
  });
  await publish('long');
  await publish('clock');
  await waitFor('an empty stream', async () => (await unanswered()) === 0);
  expect(deliveries.toSorted((a, b) => a - b)).toEqual([1, 1, 2, 3, 4]);
});

test('a message whose processing fails is delivered again', async () => {
  const { publish, consume, unanswered, errors } = await open();
  consume(async (message) => {
    if (message.deliveries === 1) throw new Error('not now');
    message.ack();
  });
  await publish('a');
  await waitFor('an empty stream', async () => (await unanswered()) === 0);
  expect(errors).toEqual([new Error('not now')]);
});

test('a message that was refused comes again, one that was terminated does not', async () => {
  const { publish, consume, unanswered } = await open();
  const deliveries: number[] = [];
  consume(async (message) => {
    deliveries.push(message.deliveries);
    if (message.deliveries === 1) message.nak();
    else message.term('of no use');
  });
  await publish('a');
  await waitFor('an empty stream', async () => (await unanswered()) === 0);
  expect(deliveries).toEqual([1, 2]);
});

test('only the first answer counts', async () => {
  const { publish, consume, unanswered } = await open();
  const deliveries: number[] = [];
  consume(async (message) => {
    deliveries.push(message.deliveries);
    if (message.deliveries === 1) message.nak();
    message.ack();
  });
  await publish('a');
  await waitFor('an empty stream', async () => (await unanswered()) === 0);
  expect(deliveries).toEqual([1, 2]);
});

test('stops once what it has begun is done, and takes nothing more', async () => {
  const { publish, consume, unanswered } = await open();
  let begun = 0;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const consumer = consume(
    async (message) => {
      begun++;
      await finished;
      message.ack();
    },
    { concurrency: 2 },
  );
  for (const body of ['a', 'b', 'c', 'd', 'e']) await publish(body);
  await waitFor('two messages in progress', () => begun === 2);
  const stopping = consumer.stop();
  finish();
  await stopping;
  expect(begun).toBeLessThan(5);
  await waitFor('the rest to be left', async () => (await unanswered()) === 5 - begun);
});
