/** Three real servers, each stream with three copies: what clusters do to the framework, in a bounded form. `npm run test:cluster` runs its suites on one. */
import { rm } from 'node:fs/promises';
import {
  chord,
  connectToNats,
  createClient,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  reconcileTopology,
  step,
  type JobsClient,
  type Topology,
} from '@stratum/jobs';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startCluster, type Cluster, type ClusterServer } from '../harness/cluster.js';
import { dataFolder, waitFor } from '../harness/index.js';

const work = defineTask({
  name: 'work',
  queue: 'work',
  input: z.object({ n: z.int() }),
  output: z.object({ n: z.int() }),
});
const gather = defineTask({
  name: 'gather',
  queue: 'work',
  input: z.object({ all: z.array(z.object({ n: z.int() })) }),
  output: z.object({ count: z.int() }),
});

let cluster: Cluster;
let folder: string;

beforeAll(async () => {
  folder = await dataFolder('stratum-cluster-');
  cluster = await startCluster({ binary: inject('natsBinary'), folder });
});

afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Parts {
  connection: NatsConnection;
  topology: Topology;
  client: JobsClient;
  /** How often each task ran, by its number. */
  runs: Map<number, number>;
}

let prefixes = 0;

/** Whether no stream is left. Servers that have just rejoined choose leaders first and answer late. */
async function removeStreams(connection: NatsConnection, topology: Topology): Promise<boolean> {
  try {
    const manager = await jetstreamManager(connection);
    const own = new Set(topology.streams.map(({ config }) => config.name));
    for await (const name of manager.streams.names()) if (own.has(name)) await manager.streams.delete(name);
    return true;
  } catch {
    return false;
  }
}

async function open(servers = cluster.url, publishing = {}): Promise<Parts> {
  const prefix = `c${prefixes++}`;
  const connection = await connectToNats({ servers, name: prefix });
  const topology = defineTopology({ prefix, queues: [{ name: 'work' }], replicas: 3 });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology, publishing });
  const runs = new Map<number, number>();
  onTestFinished(async () => {
    await client.close();
    await waitFor('the removal of its streams', () => removeStreams(connection, topology));
    await connection.close();
  });
  return { connection, topology, client, runs };
}

function startWorker({ connection, topology, runs }: Parts): void {
  const worker = createWorker({
    connection,
    topology,
    queues: ['work'],
    handlers: [
      handleTask(work, ({ n }) => {
        runs.set(n, (runs.get(n) ?? 0) + 1);
        return { n };
      }),
      handleTask(gather, ({ all }) => ({ count: all.length })),
    ],
    logger: pino({ level: 'silent' }),
    concurrency: 16,
  });
  worker.start();
  onTestFinished(() => worker.stop());
}

/** A server that leads no stream, no consumer and not the cluster, and that nobody here is connected to. */
async function idleServer({ connection, topology }: Parts): Promise<ClusterServer> {
  const manager = await jetstreamManager(connection);
  const own = connection.info?.server_name;
  return waitFor('a server that leads nothing', async () => {
    const leaders = new Map<string, string[]>(cluster.servers.map(({ name }) => [name, []]));
    for (const { config, consumers } of topology.streams) {
      const { name } = config;
      leaders
        .get((await manager.streams.info(name)).cluster?.leader ?? '')
        ?.push(`STREAM.LEADER.STEPDOWN.${name}`);
      for (const { durable_name: consumer } of consumers)
        leaders
          .get((await manager.consumers.info(name, consumer)).cluster?.leader ?? '')
          ?.push(`CONSUMER.LEADER.STEPDOWN.${name}.${consumer}`);
    }
    const [fewest] = cluster.servers
      .filter(({ name }) => name !== own)
      .toSorted((a, b) => (leaders.get(a.name)?.length ?? 0) - (leaders.get(b.name)?.length ?? 0));
    const led = leaders.get(fewest?.name ?? '') ?? [];
    for (const subject of led) await connection.request(`$JS.API.${subject}`, '').catch(() => undefined);
    return led.length === 0 ? fewest : undefined;
  });
}

test('concurrent enqueues under unique keys are admitted one for each key, and none fails', async () => {
  const { client } = await open();
  const enqueued = await Promise.all(
    Array.from({ length: 200 }, (_, n) => client.enqueue(work, { n }, { uniqueKey: `key-${n % 25}` })),
  );
  expect(enqueued.filter(({ duplicate }) => !duplicate)).toHaveLength(25);
  expect(new Set(enqueued.map(({ id }) => id)).size).toBe(25);
});

test('concurrent enqueues under one id store it once', async () => {
  const parts = await open();
  const enqueued = await Promise.all(
    Array.from({ length: 50 }, () => parts.client.enqueue(work, { n: 1 }, { id: 'same' })),
  );
  expect(enqueued.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
});

test('a chord counts members that end at the same time', async () => {
  const parts = await open();
  startWorker(parts);
  const members = Array.from({ length: 100 }, (_, n) => step(work, { n }));
  const { id } = await parts.client.workflows.start(
    chord(members, step(gather, {}, { with: { all: '$previous' } })),
  );
  expect(await parts.client.workflows.result(id, { timeoutMs: 60_000 })).toMatchObject({
    state: 'SUCCESS',
    result: { count: 100 },
  });
});

test('a follower that hangs delays nobody for long', async () => {
  const parts = await open();
  const { client } = parts;
  const { id } = await client.enqueue(work, { n: 1 });
  const follower = await idleServer(parts);
  follower.pause();
  onTestFinished(() => follower.resume());
  const seen = await Promise.all(Array.from({ length: 100 }, () => client.status(id)));
  expect(seen.every((record) => record?.state === 'PENDING')).toBe(true);
  const started = await Promise.all(
    Array.from({ length: 20 }, (_, n) => client.workflows.start({ chain: [step(work, { n })] })),
  );
  expect(started).toHaveLength(20);
  expect((await client.workflows.list({ limit: 50 })).workflows).toHaveLength(20);
});

test('without a majority, a refusal is certain or says that the outcome is unknown, and asking again settles it', async () => {
  const parts = await open(cluster.url, { deadlineMs: 3_000, ackTimeoutMs: 1_000 });
  const { client } = parts;
  const [keep, ...others] = cluster.servers.toSorted(
    (a, b) =>
      Number(b.name === parts.connection.info?.server_name) -
      Number(a.name === parts.connection.info?.server_name),
  );
  const attempts = Array.from({ length: 60 }, async (_, n) => {
    await new Promise((resolve) => setTimeout(resolve, n * 5));
    return client.enqueue(work, { n }, { id: `task-${n}` }).then(
      () => 'stored',
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
    );
  });
  await Promise.all(others.map((server) => server.kill()));
  const outcomes = await Promise.all(attempts);
  expect(keep?.name).toBe(parts.connection.info?.server_name);
  await Promise.all(others.map((server) => server.restart()));
  const unknown = outcomes.flatMap((outcome, n) => (outcome === 'publish_unconfirmed' ? [n] : []));
  const refused = outcomes.flatMap((outcome, n) => (outcome === 'publish_failed' ? [n] : []));
  expect(
    outcomes.filter((outcome) => !['stored', 'publish_unconfirmed', 'publish_failed'].includes(outcome)),
  ).toEqual([]);
  expect(unknown.length + refused.length).toBeGreaterThan(0);
  for (const n of unknown)
    await waitFor(`task ${n} to be accepted`, async () =>
      client.enqueue(work, { n }, { id: `task-${n}` }).catch(() => undefined),
    );
  startWorker(parts);
  for (const n of outcomes.keys())
    if (!refused.includes(n)) await client.result(`task-${n}`, { timeoutMs: 60_000 });
  expect(refused.filter((n) => parts.runs.has(n))).toEqual([]);
  expect([...parts.runs.values()].every((count) => count === 1)).toBe(true);
});

test('a connection to a server that is cut off from the others moves to one of them', async () => {
  const [isolated] = cluster.servers;
  if (isolated === undefined) throw new Error('There is no server.');
  // Only one address is known, and a server that is cut off forgets the others.
  const parts = await open(isolated.url);
  startWorker(parts);
  expect(parts.connection.info?.server_name).toBe(isolated.name);
  isolated.isolate();
  onTestFinished(() => isolated.rejoin());
  const { id } = await parts.client.enqueue(work, { n: 1 });
  expect(await parts.client.result(id, { timeoutMs: 60_000 })).toMatchObject({ state: 'SUCCESS' });
  expect(parts.connection.info?.server_name).not.toBe(isolated.name);
});
