/** The broker goes away and comes back. */
import { connectToNats, createClient, createWorker, defineTopology, reconcileTopology } from '@stratum/jobs';
import { startNatsServer, type NatsServer } from '@stratum/jobs/embedded';
import { expect, inject, onTestFinished, test } from 'vitest';
import { tcpProxy, waitFor } from '../harness/index.js';
import { add, addHandler, openJobs } from './fixture.js';

async function ownServer(): Promise<NatsServer> {
  const server = await startNatsServer({ binary: inject('natsBinary') });
  onTestFinished(() => server.stop());
  return server;
}

test('a broker killed under load: producers and workers resume by themselves, and nothing is lost', async () => {
  const server = await ownServer();
  const topology = defineTopology({ prefix: 'loss', queues: [{ name: 'work' }], ackWaitMs: 2_000 });
  const connection = await connectToNats({ servers: server.url, name: 'loss' });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology, publishing: { ackTimeoutMs: 500 } });
  const worker = createWorker({
    connection,
    topology,
    queues: ['work'],
    handlers: [addHandler],
    concurrency: 8,
  });
  worker.start();
  onTestFinished(async () => {
    await worker.stop();
    await client.close();
    await connection.close();
  });
  const enqueued: Promise<{ id: string }>[] = [];
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 300; n++) enqueued.push(client.enqueue(add, { a: n, b: round }));
    await Promise.race(enqueued.slice(round * 300));
    await server.kill();
    for (let n = 0; n < 50; n++) enqueued.push(client.enqueue(add, { a: n, b: round }));
    await server.restart();
  }
  const ids = (await Promise.all(enqueued)).map(({ id }) => id);
  const done = new Set<string>();
  await waitFor('every task to succeed', async () => {
    for (const id of ids) {
      if (done.has(id)) continue;
      const record = await client.status(id);
      if (record?.state !== 'SUCCESS') return false;
      done.add(id);
    }
    return true;
  });
  expect(done.size).toBe(700);
});

test('who waits for a result hears of it after a cut of the network, though it was stored meanwhile', async () => {
  const { topology, worker, natsUrl, client: producer } = await openJobs();
  const proxy = await tcpProxy(natsUrl);
  const connection = await connectToNats({ servers: proxy.url, name: 'behind the cut' });
  const client = createClient({ connection, topology });
  onTestFinished(async () => {
    await client.close();
    await connection.close();
  });
  const { id } = await client.enqueue(add, { a: 1, b: 2 });
  const waiting = client.result(id, { timeoutMs: 50_000 });
  proxy.cut();
  worker([addHandler]);
  await producer.result(id);
  proxy.heal();
  expect(await waiting).toMatchObject({ state: 'SUCCESS', result: { sum: 3 } });
});

test('a server that is too old, or not there, is refused with a sentence', async () => {
  const server = await ownServer();
  await server.stop();
  await expect(connectToNats({ servers: server.url, name: 'gone', timeoutMs: 500 })).rejects.toThrow(
    /No connection to NATS at .*Is the server running/,
  );
});

test('on a closed connection every wait and list fails at once, and nothing is thrown later', async () => {
  const server = await ownServer();
  const topology = defineTopology({ prefix: 'closed', queues: [{ name: 'work' }] });
  const connection = await connectToNats({ servers: server.url, name: 'test' });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  await connection.close();
  const timeoutMs = 20;
  await expect(client.result('some', { timeoutMs })).rejects.not.toThrow('has not ended');
  await expect(client.workflows.result('some', { timeoutMs })).rejects.not.toThrow('has not ended');
  await expect(client.deadLetters.list()).rejects.toThrow(/closed/i);
  // A timer that one of them had left behind is over before this one; vitest reports what it throws.
  await new Promise((resolve) => setTimeout(resolve, 2 * timeoutMs));
});
