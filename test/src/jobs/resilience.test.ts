/** Deploys under load, cuts of the network, a broker that is slow. */
import {
  connectToNats,
  createClient,
  createWorker,
  defineTask,
  handleTask,
  type Worker,
} from '@stratum/jobs';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { tcpProxy, waitFor } from '../harness/index.js';
import { add, addHandler, openJobs, type Jobs } from './fixture.js';

const ACK_WAIT_MS = 5_000;

const timed = defineTask({
  name: 'timed',
  queue: 'work',
  input: z.object({ ms: z.int() }),
  output: z.object({ waitedMs: z.number() }),
});

/** A worker with a connection of its own, as every process has. */
async function ownWorker(jobs: Jobs, url: string, handlers: Parameters<Jobs['worker']>[0]): Promise<Worker> {
  const connection = await connectToNats({ servers: url, name: 'own' });
  const { topology } = jobs;
  const worker = createWorker({ connection, topology, queues: ['work'], handlers, concurrency: 8 });
  worker.start();
  onTestFinished(async () => {
    await worker.stop();
    await connection.close();
  });
  return worker;
}

test('a rolling restart under load loses nothing, repeats nothing, and lets nothing wait', async () => {
  const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
  const { client, natsUrl } = jobs;
  const runs = new Map<string, number>();
  let longestWaitMs = 0;
  const handlers = [
    handleTask(timed, async ({ ms }, { id, enqueuedAt }) => {
      runs.set(id, (runs.get(id) ?? 0) + 1);
      const waitedMs = Date.now() - Date.parse(enqueuedAt);
      longestWaitMs = Math.max(longestWaitMs, waitedMs);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return { waitedMs };
    }),
  ];
  let workers = await Promise.all([1, 2, 3].map(() => ownWorker(jobs, natsUrl, handlers)));
  const ids: string[] = [];
  const deploy = { done: false };
  const producing = (async (): Promise<void> => {
    while (!deploy.done) {
      const batch = Array.from({ length: 20 }, () => ({ payload: { ms: 5 + (ids.length % 40) } }));
      ids.push(...(await client.enqueueMany(timed, batch)).map(({ id }) => id));
      await waitFor('the queue to have room', async () => ((await client.queues())[0]?.normal ?? 0) < 100);
    }
  })();
  for (let round = 0; round < 3; round++) {
    for (const old of workers) {
      const before = ids.length;
      await waitFor('more tasks before the next worker is replaced', () => ids.length > before);
      const replacement = await ownWorker(jobs, natsUrl, handlers);
      await old.stop();
      workers = [...workers.filter((each) => each !== old), replacement];
    }
  }
  deploy.done = true;
  await producing;
  for (const id of ids) expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  expect([...runs.values()].every((count) => count === 1)).toBe(true);
  expect(runs.size).toBe(ids.length);
  expect(longestWaitMs).toBeLessThan(ACK_WAIT_MS);
});

test('a worker that is cut off is replaced, and goes on by itself when the network is back', async () => {
  const jobs = await openJobs({ ackWaitMs: 1_500 });
  const { client, natsUrl } = jobs;
  const proxy = await tcpProxy(natsUrl);
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const stuck = handleTask(timed, async () => {
    await finished;
    return { waitedMs: -1 };
  });
  const cutOff = await ownWorker(jobs, proxy.url, [stuck, addHandler]);
  const { id } = await client.enqueue(timed, { ms: 1 });
  await waitFor('it to start', () => cutOff.runningCount === 1);
  proxy.cut();
  const substitute = await ownWorker(jobs, natsUrl, [handleTask(timed, () => ({ waitedMs: 0 })), addHandler]);
  // Seen as lost within the ack wait and a little, though the connection does not even know yet.
  expect(await client.result(id, { timeoutMs: 10_000 })).toMatchObject({
    state: 'SUCCESS',
    worker: substitute.name,
  });
  await substitute.stop();
  proxy.heal();
  const { id: next } = await client.enqueue(add, { a: 1, b: 2 });
  expect(await client.result(next, { timeoutMs: 50_000 })).toMatchObject({ worker: cutOff.name });
  // What it still had is finished without overwriting what the other one has made of it.
  finish();
  await waitFor('its end', () => cutOff.runningCount === 0);
  expect(await client.status(id)).toMatchObject({ worker: substitute.name, result: { waitedMs: 0 } });
});

test('a slow broker slows work down and breaks nothing', async () => {
  const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
  const proxy = await tcpProxy(jobs.natsUrl);
  const connection = await connectToNats({ servers: proxy.url, name: 'slow' });
  const client = createClient({ connection, topology: jobs.topology });
  onTestFinished(async () => {
    await client.close();
    await connection.close();
  });
  let runs = 0;
  await ownWorker(jobs, proxy.url, [
    handleTask(add, ({ a, b }) => {
      runs++;
      return { sum: a + b };
    }),
  ]);
  proxy.slow(400);
  const tasks = await client.enqueueMany(
    add,
    Array.from({ length: 50 }, (_, index) => ({ payload: { a: index, b: 1 } })),
  );
  const results = await Promise.all(tasks.map(({ id }) => client.result(id)));
  expect(results.map(({ result }) => result)).toEqual(tasks.map((_, index) => ({ sum: index + 1 })));
  expect(runs).toBe(50);
});

test('every lane is pulled again after every reconnect', async () => {
  // What was on its way into a cut comes again after the ack wait.
  const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
  const { client, natsUrl } = jobs;
  const proxy = await tcpProxy(natsUrl);
  await ownWorker(jobs, proxy.url, [addHandler]);
  for (let round = 0; round < 4; round++) {
    for (const priority of ['high', 'normal', 'low'] as const) {
      const { id } = await client.enqueue(add, { a: round, b: 1 }, { priority });
      expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
    }
    proxy.cut();
    proxy.heal();
  }
});
