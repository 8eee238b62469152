/** Circuit breakers while workers are killed, the broker restarts, and clocks are wrong. The service is an HTTP server of the test. */
import { createServer, type ServerResponse } from 'node:http';
import { defineTask } from '@stratum/jobs';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, waitFor, type SpawnedProgram } from '../../harness/index.js';
import { openJobs, openOwnJobs, type Jobs } from '../fixture.js';

const HOUR_MS = 3_600_000;
const visit = defineTask({
  name: 'visit',
  queue: 'work',
  input: z.object({ n: z.int() }),
  output: z.null(),
});
type Broker = Pick<Jobs, 'natsUrl' | 'topology' | 'client'>;

interface Shop {
  url: string;
  /** `silent`: it takes requests and does not answer. */
  state: 'up' | 'down' | 'silent';
  /** When requests came, on the monotonic clock. */
  calls: number[];
}

async function openShop(): Promise<Shop> {
  const unanswered = new Set<ServerResponse>();
  const shop: Shop = { url: '', state: 'up', calls: [] };
  const server = createServer((_request, response) => {
    shop.calls.push(performance.now());
    if (shop.state === 'silent') unanswered.add(response);
    else response.writeHead(shop.state === 'up' ? 200 : 503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.');
  shop.url = `http://127.0.0.1:${address.port}`;
  return shop;
}

async function startWorker(
  { natsUrl, topology }: Broker,
  shop: Shop,
  { clockMs = 0, pauseMs = 500 } = {},
): Promise<SpawnedProgram> {
  const program = spawnProgram('test/src/jobs/breakers/visiting-worker.mjs', {
    NATS_URL: natsUrl,
    PREFIX: topology.names.prefix,
    SERVICE_URL: shop.url,
    PAUSE_MS: String(pauseMs),
    CLOCK_SHIFT_MS: String(clockMs),
  });
  await program.ready();
  return program;
}

const visits = (count: number): { payload: { n: number } }[] =>
  Array.from({ length: count }, (_, n) => ({ payload: { n } }));

async function retriesOf({ client }: Broker, tasks: readonly { id: string }[]): Promise<number> {
  const records = await Promise.all(tasks.map(({ id }) => client.result(id, { timeoutMs: 120_000 })));
  expect(records.map(({ state }) => state)).toEqual(tasks.map(() => 'SUCCESS'));
  return records.reduce((sum, { retries }) => sum + retries, 0);
}

async function opened({ client }: Broker, waiting: number): Promise<void> {
  await waitFor('the circuit to be open, and all to wait', async () => {
    const [circuit] = await client.control.circuits();
    return circuit !== undefined && circuit.opened_at !== null && circuit.waiting >= waiting;
  });
}

test('workers are killed while the service comes and goes: all run, and each outage costs two retries', async () => {
  const jobs = await openJobs({ ackWaitMs: 1_000, maxDeliver: 1_000 });
  const shop = await openShop();
  const workers = await Promise.all([0, 1, 2].map(() => startWorker(jobs, shop)));
  const outages = 3;
  const tasks: { id: string }[] = [];
  for (let outage = 0; outage < outages; outage++) {
    shop.state = 'down';
    tasks.push(...(await jobs.client.enqueueMany(visit, visits(40))));
    await opened(jobs, 30);
    const victim = outage % workers.length;
    await workers[victim]?.kill('SIGKILL');
    shop.state = 'up';
    await waitFor('a task to run', async () => (await jobs.client.control.circuits())[0]?.opened_at === null);
    workers[victim] = await startWorker(jobs, shop);
  }
  expect(await retriesOf(jobs, tasks)).toBeLessThanOrEqual(outages * 2);
  await waitFor('nobody to wait', async () => (await jobs.client.control.circuits())[0]?.state === 'closed');
}, 180_000);

test('a worker is killed while its task tries the service: another one tries it with the same task', async () => {
  const jobs = await openJobs({ ackWaitMs: 1_000, maxDeliver: 1_000 });
  const shop = await openShop();
  shop.state = 'down';
  const first = await startWorker(jobs, shop);
  const tasks = await jobs.client.enqueueMany(visit, visits(10));
  await opened(jobs, 9);
  shop.state = 'silent';
  const before = shop.calls.length;
  await waitFor('a task to try', () => shop.calls.length === before + 1);
  await first.kill('SIGKILL');
  shop.state = 'up';
  await startWorker(jobs, shop);
  expect(await retriesOf(jobs, tasks)).toBe(2);
}, 120_000);

test('a broker that is killed and restarted keeps a circuit open, and those who wait', async () => {
  const jobs = await openOwnJobs({ ackWaitMs: 1_000, maxDeliver: 1_000 });
  const { server, client } = jobs;
  const shop = await openShop();
  shop.state = 'down';
  const pauseMs = 6_000;
  await startWorker(jobs, shop, { pauseMs });
  const tasks = await client.enqueueMany(visit, visits(20));
  await opened(jobs, 20);
  const calls = shop.calls.length;
  await server.kill();
  await server.restart();
  // A worker that knows nothing from before.
  await startWorker(jobs, shop, { pauseMs });
  await opened(jobs, 20);
  expect(shop.calls).toHaveLength(calls);
  shop.state = 'up';
  expect(await retriesOf(jobs, tasks)).toBe(2);
  // Nobody called before the pause was over.
  const [last = 0, next = 0] = shop.calls.slice(calls - 1);
  expect(next - last).toBeGreaterThanOrEqual(pauseMs - 500);
}, 120_000);

test.each([
  [HOUR_MS, -HOUR_MS],
  [-HOUR_MS, HOUR_MS],
])('clocks of workers that are wrong by %i and %i ms do not move the pause', async (...clocks) => {
  const jobs = await openJobs({ ackWaitMs: 1_000, maxDeliver: 1_000 });
  const shop = await openShop();
  shop.state = 'down';
  const pauseMs = 3_000;
  await Promise.all(clocks.map((clockMs) => startWorker(jobs, shop, { clockMs, pauseMs })));
  const tasks = await jobs.client.enqueueMany(visit, visits(12));
  await opened(jobs, 12);
  const calls = shop.calls.length;
  const last = shop.calls.at(-1) ?? 0;
  shop.state = 'up';
  expect(await retriesOf(jobs, tasks)).toBe(2);
  const [next = 0] = shop.calls.slice(calls);
  expect(next - last).toBeGreaterThanOrEqual(pauseMs - 500);
  expect(next - last).toBeLessThan(pauseMs + 5_000);
});
