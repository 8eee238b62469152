/** Workers: how many at once, in which order, what happens when they stop or are lost. */
import {
  createWorker,
  defineTopology,
  handleTask,
  reconcileTopology,
  TopologyConflictError,
} from '@stratum/jobs';
import { jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, test } from 'vitest';
import { testNamespace, waitFor } from '../harness/index.js';
import { add, addHandler, openJobs } from './fixture.js';

const MANY = 500;

describe('a worker', () => {
  test('runs as many tasks at once as it may, never more', async () => {
    const { client, worker } = await openJobs();
    let running = 0;
    let most = 0;
    const items = Array.from({ length: 60 }, (_, n) => ({ payload: { a: n, b: 0 } }));
    const enqueued = await client.enqueueMany(add, items);
    worker(
      [
        handleTask(add, async ({ a }) => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          return { sum: a };
        }),
      ],
      { concurrency: 3 },
    );
    await Promise.all(enqueued.map(({ id }) => client.result(id)));
    expect(most).toBe(3);
  });

  test('takes the higher priority first and does not starve the lower', async () => {
    const { client, worker } = await openJobs();
    const order: string[] = [];
    const enqueue = (priority: 'high' | 'low'): Promise<unknown> =>
      client.enqueueMany(
        add,
        Array.from({ length: 100 }, () => ({ payload: { a: 0, b: 0 }, options: { priority } })),
      );
    await enqueue('low');
    await enqueue('high');
    worker(
      [
        handleTask(add, (_payload, { priority }) => {
          order.push(priority);
          return { sum: 0 };
        }),
      ],
      { concurrency: 1 },
    );
    await waitFor('all tasks', () => order.length === 200);
    const firstHalf = order.slice(0, 100);
    expect(firstHalf.filter((priority) => priority === 'high').length).toBeGreaterThan(80);
    expect(firstHalf).toContain('low');
  });

  test('that stops finishes its running tasks, returns the rest, and loses nothing', async () => {
    const { client, worker } = await openJobs();
    const enqueued = await client.enqueueMany(
      add,
      Array.from({ length: MANY }, (_, n) => ({ payload: { a: n, b: 1 } })),
    );
    const runs = new Map<string, number>();
    const counting = handleTask(add, async ({ a, b }, { id }) => {
      await new Promise((resolve) => setImmediate(resolve));
      runs.set(id, (runs.get(id) ?? 0) + 1);
      return { sum: a + b };
    });
    for (let round = 0; round < 3; round++) {
      const before = runs.size;
      const instance = worker([counting], { concurrency: 8, prefetchMultiplier: 4 });
      await waitFor('some tasks', () => runs.size > before + 20);
      await instance.stop();
    }
    worker([counting], { concurrency: 8 });
    const records = await Promise.all(enqueued.map(({ id }) => client.result(id)));
    expect(records.every(({ state }) => state === 'SUCCESS')).toBe(true);
    expect([...runs.values()].every((count) => count === 1)).toBe(true);
  });

  test('hands a task back that does not end within the grace time', async () => {
    const { client, worker } = await openJobs();
    let started = false;
    const stuck = worker(
      [
        handleTask(add, async () => {
          started = true;
          await new Promise(() => undefined);
          return { sum: 0 };
        }),
      ],
      { shutdownGraceMs: 50 },
    );
    const { id } = await client.enqueue(add, { a: 1, b: 1 });
    await waitFor('the task to start', () => started);
    await stuck.stop();
    worker([addHandler]);
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { sum: 2 } });
  });

  test('may hand a task back any number of times, begun or not: only the loss of a worker counts', async () => {
    const jobs = await openJobs({ maxDeliver: 3 });
    const { client, worker } = jobs;
    for (const id of ['begun', 'reserved']) await client.enqueue(add, { a: 1, b: 1 }, { id });
    for (let restart = 0; restart < 8; restart++) {
      let deliveries = 0;
      const stuck = worker(
        [
          handleTask(add, async (_payload, context) => {
            deliveries = context.deliveries;
            return new Promise<never>(() => undefined);
          }),
        ],
        { shutdownGraceMs: 0, concurrency: 1, prefetchMultiplier: 2 },
      );
      await waitFor('both tasks', () => deliveries > 0 && stuck.reserved().length === 1);
      expect(deliveries).toBe(restart + 1);
      await stuck.stop();
      const statuses = await Promise.all(['begun', 'reserved'].map((id) => client.status(id)));
      expect(statuses).toMatchObject(
        statuses.map(() => ({ state: 'PENDING', deliveries: restart + 1, hand_backs: restart + 1 })),
      );
    }
    worker([addHandler]);
    for (const id of ['begun', 'reserved'])
      expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', deliveries: 9 });
  });

  test('skips a task that ended before its acknowledgement was lost', async () => {
    const { client, connection, topology, worker } = await openJobs({ ackWaitMs: 1_000 });
    let runs = 0;
    let lost = 0;
    // An acknowledgement that never leaves is one that the network has lost.
    const lossy = new Proxy(connection, {
      get: (target, property) => {
        if (property !== 'publish') {
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === 'function' ? value.bind(target) : value;
        }
        return (...args: Parameters<typeof connection.publish>) => {
          if (args[1] === '+ACK') lost++;
          else target.publish(...args);
        };
      },
    });
    const handler = handleTask(add, ({ a, b }) => ({ sum: a + b + runs++ }));
    const first = createWorker({ connection: lossy, topology, queues: ['work'], handlers: [handler] });
    first.start();
    const { id } = await client.enqueue(add, { a: 1, b: 1 });
    expect(await client.result(id)).toMatchObject({ result: { sum: 2 } });
    await first.stop();
    expect(lost).toBe(1);
    worker([handler]);
    await waitFor('the queue to be empty', async () => {
      const [queue] = await client.queues();
      return queue?.running === 0 && queue.normal === 0;
    });
    expect(runs).toBe(1);
    expect(await client.status(id)).toMatchObject({ state: 'SUCCESS', result: { sum: 2 } });
  });

  test('does not start with two handlers for a task, or none for a queue', async () => {
    const { connection, topology } = await openJobs();
    const create = (handlers: (typeof addHandler)[]): unknown =>
      createWorker({ connection, topology, queues: ['work'], handlers });
    expect(() => create([addHandler, addHandler])).toThrow(/two handlers/);
    expect(() => create([])).toThrow(/no handler for any task of: work/);
  });
});

describe('the topology', () => {
  test('is created once, and left alone the second time', async () => {
    const { connection, prefix } = await testNamespace();
    const topology = defineTopology({ prefix, queues: [{ name: 'one' }, { name: 'two' }] });
    const reports = await Promise.all([
      reconcileTopology(connection, topology),
      reconcileTopology(connection, topology),
    ]);
    expect(reports.flatMap(({ updated }) => updated)).toEqual([]);
    const again = await reconcileTopology(connection, topology);
    expect(again).toMatchObject({ created: [], updated: [] });
    expect(again.unchanged).toHaveLength(21);
  });

  test('is updated when its settings change', async () => {
    const { connection, prefix } = await testNamespace();
    const queues = [{ name: 'one' }];
    await reconcileTopology(connection, defineTopology({ prefix, queues }));
    const report = await reconcileTopology(connection, defineTopology({ prefix, queues, ackWaitMs: 5_000 }));
    expect(report.updated).toEqual([
      ...['high', 'normal', 'low'].map((lane) => `${prefix}_QUEUE_ONE/one-${lane}`),
      `${prefix}_ADVISORIES/reaper`,
      `${prefix}_WORKFLOW_STARTS/keeper`,
    ]);
  });

  test('reports conflicts instead of ignoring them', async () => {
    const { connection, prefix } = await testNamespace();
    const manager = await jetstreamManager(connection);
    await manager.streams.add({
      name: `${prefix}_QUEUE_ONE`,
      subjects: [`${prefix}.tasks.one.>`],
      retention: 'limits',
    });
    const refused = reconcileTopology(connection, defineTopology({ prefix, queues: [{ name: 'one' }] }));
    await expect(refused).rejects.toBeInstanceOf(TopologyConflictError);
    await expect(refused).rejects.toThrow(/QUEUE_ONE: .*retention is "limits", declared "workqueue"/);
  });
});
