/** A queue over several streams: everything that a task can meet, and changes of their number. */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager, type PubAck } from '@nats-io/jetstream';
import {
  connectToNats,
  createClient,
  createReaper,
  createWorker,
  defineTask,
  defineTopology,
  discoverQueues,
  handleTask,
  reconcileTopology,
  TaskError,
  type JobsClient,
  type QueueShards,
  type Topology,
} from '@stratum/jobs';
import { startNatsServer } from '@stratum/jobs/embedded';
import { discoverQueueOptions } from '@stratum/jobs/monitor';
import type { NatsConnection } from '@nats-io/transport-node';
import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, testNamespace, waitFor } from '../harness/index.js';
import { add, addHandler, flaky, flakyHandler, openJobs, queueIsEmpty } from './fixture.js';

const silent = pino({ level: 'silent' });
const doomed = defineTask({
  name: 'doomed',
  queue: 'work',
  input: z.object({ fixed: z.boolean(), tenant_id: z.int() }),
  output: z.object({ ok: z.boolean() }),
  retry: { maxRetries: 0 },
});
const doomedHandler = handleTask(doomed, ({ fixed }) => {
  if (!fixed) throw new TaskError('not yet');
  return { ok: true };
});

async function messagesIn(connection: NatsConnection, { names }: Topology): Promise<number[]> {
  const manager = await jetstreamManager(connection);
  const infos = names.carriers('work').map((carrier) => manager.streams.info(names.queueStream(carrier)));
  return (await Promise.all(infos)).map(({ state }) => state.messages);
}

describe.each([[1], [2], [3], [7]])('a queue of %i shards', (shards) => {
  const open = (): ReturnType<typeof openJobs> =>
    openJobs({ queues: [{ name: 'work', shards }], ackWaitMs: 2_000 });

  test('spreads tasks, counts them, shows each, and runs them with their retries and delays', async () => {
    const { client, worker, connection, topology } = await open();
    const priorities = ['high', 'normal', 'low'] as const;
    const items = Array.from({ length: 120 }, (_, n) => ({
      payload: { a: n, b: 1, tenant_id: n % 5 },
      options: { priority: priorities[n % 3] ?? 'normal' },
    }));
    const { length } = topology.names.carriers('work');
    expect(length).toBe(shards === 1 ? 1 : shards + 1);
    const handles = await client.enqueueMany(add, items);
    const delayed = await client.enqueue(add, { a: 1, b: 1 }, { delayMs: 1_500 });
    const retried = await client.enqueue(flaky, { failures: 2 });
    const stored = await messagesIn(connection, topology);
    expect(stored.reduce((sum, count) => sum + count, 0)).toBe(122);
    // Its own stream is left to others once there are shards.
    if (shards > 1) expect(stored[0]).toBe(0);
    expect(stored.slice(1).every((count) => count > 0)).toBe(true);
    expect(await client.queues()).toMatchObject([{ high: 40, normal: 41, low: 40, delayed: 1, running: 0 }]);
    expect(await client.waitingOf('3')).toMatchObject({ work: { high: 8, normal: 8, low: 8 } });
    expect(await client.status(handles[17]?.id ?? '')).toMatchObject({ state: 'PENDING', tenant: '2' });
    expect(await client.status(delayed.id)).toMatchObject({ state: 'SCHEDULED' });
    worker([addHandler, flakyHandler], { concurrency: 8 });
    expect(await client.result(retried.id)).toMatchObject({ state: 'SUCCESS', retries: 2 });
    expect(await client.result(delayed.id)).toMatchObject({ state: 'SUCCESS' });
    for (const [n, { id }] of handles.entries())
      expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { sum: n + 1 } });
    await queueIsEmpty(client);
    expect(await messagesIn(connection, topology)).toEqual(stored.map(() => 0));
  });

  test('refuses an id that waits, and takes waiting tasks back one by one and all at once', async () => {
    const { client } = await open();
    const own = { id: 'the-one', unique: true };
    await client.enqueue(add, { a: 1, b: 1, tenant_id: 1 }, own);
    await expect(client.enqueue(add, { a: 1, b: 1, tenant_id: 1 }, own)).rejects.toThrow('the-one');
    expect(await client.revoke('the-one')).toBe('revoked');
    const payloads = Array.from({ length: 30 }, (_, n) => ({ payload: { a: n, b: 1, tenant_id: n % 2 } }));
    await client.enqueueMany(add, payloads);
    await client.enqueue(add, { a: 1, b: 1, tenant_id: 1 }, { delayMs: 3_600_000 });
    expect(await client.revokeAll({ tenant: '1' })).toBe(16);
    expect(await client.purge('work')).toBe(15);
    expect(await client.queues()).toMatchObject([{ high: 0, normal: 0, low: 0, delayed: 0, running: 0 }]);
  });

  test('dead-letters, replays, and runs workflows', async () => {
    const { client, worker } = await open();
    worker([addHandler, doomedHandler]);
    const { id } = await client.enqueue(doomed, { fixed: false, tenant_id: 4 });
    expect(await client.result(id)).toMatchObject({ state: 'FAILURE' });
    await waitFor('its letter', async () => (await client.deadLetters.get(id)) !== undefined);
    await client.deadLetters.replay(id, { payload: { fixed: true, tenant_id: 4 } });
    await waitFor('its success', async () => (await client.status(id))?.state === 'SUCCESS');
    const step = { task: 'add', queue: 'work', payload: { a: 1, b: 1 } };
    const group = Array.from({ length: 12 }, () => step);
    const run = await client.workflows.start({ chord: { group, callback: step } });
    expect(await client.workflows.result(run.id)).toMatchObject({ state: 'SUCCESS' });
  });

  test('pauses and resumes as one', async () => {
    const { client, worker } = await open();
    await client.control.pause('work');
    worker([addHandler]);
    const handles = await client.enqueueMany(
      add,
      Array.from({ length: 20 }, (_, n) => ({ payload: { a: n, b: 1 } })),
    );
    expect(await client.queues()).toMatchObject([{ normal: 20, paused: true }]);
    await client.control.resume('work');
    for (const { id } of handles) expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  });
});

test('a task that its worker takes along in its death runs elsewhere, and one that kills all is a dead letter', async () => {
  const jobs = await openJobs({ queues: [{ name: 'work', shards: 3 }], ackWaitMs: 2_000 });
  const { client, connection, topology, natsUrl } = jobs;
  const reaper = createReaper({ connection, topology, searchEveryMs: 200, logger: silent });
  reaper.start();
  onTestFinished(() => reaper.stop());
  const report = defineTask({
    name: 'report',
    queue: 'work',
    input: z.object({ tenant_id: z.int(), n: z.int() }),
    output: z.object({ n: z.int() }),
  });
  const handles = await client.enqueueMany(
    report,
    Array.from({ length: 200 }, (_, n) => ({ payload: { tenant_id: n % 4, n } })),
  );
  const start = (): ReturnType<typeof spawnProgram> =>
    spawnProgram('test/src/jobs/fair-worker.mjs', {
      NATS_URL: natsUrl,
      PREFIX: topology.names.prefix,
      RUN_MS: '20',
      SHARDS: '3',
    });
  for (let round = 0; round < 2; round++) {
    const program = start();
    const before = await endedOf(client);
    await waitFor('some ends', async () => (await endedOf(client)) > before + 10);
    await program.kill('SIGKILL');
  }
  const last = start();
  await queueIsEmpty(client);
  await last.kill('SIGKILL');
  for (const { id } of handles) expect(await client.status(id)).toMatchObject({ state: 'SUCCESS' });

  // Nobody acknowledges it, until the server gives up: as if each of its workers had died.
  const { id } = await client.enqueue(add, { a: 1, b: 1 }, { id: 'killer', priority: 'high' });
  const shard = topology.names.shardFor('work', id);
  const carrier = `${shard}.work`;
  const lane = await jetstream(connection).consumers.get(topology.names.queueStream(carrier), 'work-high');
  const taken = async (): Promise<boolean> => {
    const message = await lane.next({ expires: 1_000 });
    message?.nak();
    return (await client.deadLetters.get(id)) !== undefined;
  };
  await waitFor('its letter', taken);
  expect(await client.deadLetters.get(id)).toMatchObject({ reason: 'worker_lost', queue: 'work' });
});

async function endedOf(client: JobsClient): Promise<number> {
  return (await client.queues())[0]?.acknowledged ?? 0;
}

test('what no lane takes becomes a dead letter of its queue and tenant, in a shard too', async () => {
  const { client, connection, topology } = await openJobs({ queues: [{ name: 'work', shards: 2 }] });
  const reaper = createReaper({ connection, topology, searchEveryMs: 100, logger: silent });
  reaper.start();
  onTestFinished(() => reaper.stop());
  const { prefix } = topology.names;
  await jetstream(connection).publish(`${prefix}.tasks.1.work.urgent.7.add.stray`, '{"a":1,"b":1}');
  const letter = await waitFor('its letter', () => client.deadLetters.get('stray'));
  expect(letter).toMatchObject({ queue: 'work', tenant: '7', task: 'add', reason: 'invalid_payload' });
});

test('the number of shards changes 1 → 3 → 2 under load: each task runs once, and nothing stays behind', async () => {
  const { connection, prefix, natsUrl } = await testNamespace();
  const topologyOf = (shards: QueueShards): Topology =>
    defineTopology({ prefix, queues: [{ name: 'work', ...shards }] });
  const runs = new Map<number, number>();
  const noted = handleTask(add, ({ a, b }) => {
    runs.set(a, (runs.get(a) ?? 0) + 1);
    return { sum: a + b };
  });
  let enqueued = 0;
  /** As a process with this setting: a client that enqueues all the time, and a worker. */
  const startProcess = async (shards: QueueShards): Promise<{ stop: () => Promise<void> }> => {
    const topology = topologyOf(shards);
    await reconcileTopology(connection, topology, { logger: silent });
    const own = await connectToNats({ servers: natsUrl, name: 'shards' });
    const client = createClient({ connection: own, topology });
    const worker = createWorker({
      connection: own,
      topology,
      queues: ['work'],
      handlers: [noted],
      logger: silent,
    });
    worker.start();
    const ending = new AbortController();
    const producing = (async () => {
      while (!ending.signal.aborted) {
        const options = { delayMs: enqueued % 7 === 0 ? 800 : 0 };
        await client.enqueueMany(
          add,
          Array.from({ length: 10 }, () => ({ payload: { a: enqueued++, b: 1 }, options })),
        );
        await delay(5);
      }
    })();
    return {
      stop: async () => {
        ending.abort();
        await producing;
        await worker.stop();
        await client.close();
        await own.close();
      },
    };
  };
  const another = async (count: number): Promise<void> => {
    const before = enqueued;
    await waitFor(`${count} more tasks`, () => enqueued > before + count);
  };
  // Each next setting starts beside the one before, as in a rolling deployment.
  let former = await startProcess({});
  await another(300);
  for (const shards of [{ shards: 3 }, { shards: 2, drain: 3 }]) {
    const next = await startProcess(shards);
    await another(200);
    await former.stop();
    await another(200);
    former = next;
  }
  await former.stop();

  // What the producers left, in any stream: among it delayed tasks of the third shard.
  const last = topologyOf({ shards: 2, drain: 3 });
  const client = createClient({ connection, topology: last });
  onTestFinished(() => client.close());
  const worker = createWorker({
    connection,
    topology: last,
    queues: ['work'],
    handlers: [noted],
    logger: silent,
  });
  worker.start();
  onTestFinished(() => worker.stop());
  await queueIsEmpty(client);
  expect(await messagesIn(connection, last)).toEqual([0, 0, 0, 0]);
  expect(runs.size).toBe(enqueued);
  expect([...runs.values()].every((count) => count === 1)).toBe(true);
}, 120_000);

test('a program that does not read a shard with tasks says so, and the queues are found with their shards', async () => {
  const { connection, prefix } = await testNamespace();
  const three = defineTopology({ prefix, queues: [{ name: 'work', shards: 3 }, { name: 'other' }] });
  await reconcileTopology(connection, three, { logger: silent });
  expect(await discoverQueues(connection, prefix)).toEqual(['other', 'work']);
  expect(await discoverQueueOptions(connection, prefix)).toEqual([
    { name: 'other', drain: 0 },
    { name: 'work', shards: 3 },
  ]);
  const client = createClient({ connection, topology: three });
  onTestFinished(() => client.close());
  const ids = Array.from({ length: 40 }, (_, n) => `t${n}`).filter(
    (id) => three.names.shardFor('work', id) === 2,
  );
  for (const id of ids) await client.enqueue(add, { a: 1, b: 1 }, { id });
  const warnings = async (shards: QueueShards): Promise<unknown[]> => {
    const lines: Record<string, unknown>[] = [];
    const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const topology = defineTopology({ prefix, queues: [{ name: 'work', ...shards }, { name: 'other' }] });
    await reconcileTopology(connection, topology, { update: false, logger });
    return lines.filter(({ tasks }) => tasks !== undefined);
  };
  expect(await warnings({ shards: 2 })).toMatchObject([{ queue: 'work', tasks: ids.length, level: 40 }]);
  expect(await warnings({ shards: 2, drain: 3 })).toEqual([]);
});

test('a raw publisher goes on under the subject of the contract, and the server’s own mapping spreads its tasks as clients do', async () => {
  const shards = 3;
  const server = await startNatsServer({
    binary: inject('natsBinary'),
    configuration: [
      `mappings = { "stratum.tasks.work.*.*.*.*": "stratum.tasks.{{partition(${shards},4)}}.work.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}" }`,
    ],
  });
  onTestFinished(() => server.stop());
  const connection = await connectToNats({ servers: server.url, name: 'raw' });
  onTestFinished(() => connection.close());
  const topology = defineTopology({ queues: [{ name: 'work', shards }] });
  await reconcileTopology(connection, topology, { logger: silent });
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  const raw = (id: string): Promise<PubAck> =>
    jetstream(connection).publish(`stratum.tasks.work.normal.1.add.${id}`, '{"a":1,"b":2}');
  const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  await fc.assert(
    fc.asyncProperty(id, async (own) => {
      const { stream } = await raw(own);
      expect(stream).toBe(`QUEUE_WORK~${topology.names.shardFor('work', own)}`);
    }),
    { numRuns: 60 },
  );
  await raw('twice');
  const again = client.enqueue(add, { a: 1, b: 2, tenant_id: 1 }, { id: 'twice', unique: true });
  await expect(again).rejects.toThrow('twice');
  expect(await client.status('twice')).toMatchObject({ state: 'PENDING', tenant: '1' });
});

test.each([
  ['no shard', { shards: 0 }],
  ['a fraction', { shards: 1.5 }],
  ['too many', { shards: 65 }],
  ['fewer that are read than filled', { shards: 4, drain: 3 }],
  ['a negative number to drain', { shards: 1, drain: -1 }],
])('%s is refused by the queue’s name', (_, shards) => {
  expect(() => defineTopology({ queues: [{ name: 'work', ...shards }] })).toThrow(/"work"/);
});
