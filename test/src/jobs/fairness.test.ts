/** Tenants whose tasks wait behind a great many of another's. */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTask, handleTask, step, type JobsClient, type TaskHandler } from '@stratum/jobs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { weightByPlan, type Plan } from '../docs/examples/fairness.js';
import { spawnProgram, waitFor } from '../harness/index.js';
import { openJobs, queueIsEmpty, type Jobs } from './fixture.js';

const report = defineTask({
  name: 'report',
  queue: 'work',
  input: z.object({ tenant_id: z.int(), n: z.int() }),
  output: z.object({ n: z.int() }),
});

interface Start {
  tenant: number;
  n: number;
}

/** Notes each start; ends after a time, or when its signal aborts. */
function noting(runMs: (tenant: number) => number = () => 20): { handler: TaskHandler; started: Start[] } {
  const started: Start[] = [];
  const handler = handleTask(report, async ({ tenant_id: tenant, n }, { signal }) => {
    started.push({ tenant, n });
    await delay(runMs(tenant), undefined, { signal });
    return { n };
  });
  return { handler, started };
}

/** In one order, as one producer enqueues them. */
async function enqueue(client: JobsClient, tenant: number, count: number): Promise<string[]> {
  const items = Array.from({ length: count }, (_, n) => ({ payload: { tenant_id: tenant, n } }));
  const tasks = await client.enqueueMany(report, items);
  return tasks.map(({ id }) => id);
}

function of(tenant: number, started: readonly Start[]): number[] {
  return started.filter((start) => start.tenant === tenant).map(({ n }) => n);
}

/** More than a lane reaches within the tests. */
const CROWD = 400;

interface Crowd {
  enqueue: (client: JobsClient) => Promise<unknown>;
  /** So many tasks wait before the single one: a group starts in portions. */
  waiting: number;
  /** How many start meanwhile depends on the machine; in the order of the lane it would be all of them. */
  most: number;
}

/** What one tenant has waiting when another one enqueues a single task. */
const CROWDS: Readonly<Record<string, Crowd>> = {
  '100,000 tasks': { enqueue: (client) => enqueue(client, 1, 100_000), waiting: 100_000, most: 1_000 },
  'a group of 10,000 members': {
    enqueue: (client) =>
      client.workflows.start({
        group: Array.from({ length: 10_000 }, (_, n) => step(report, { tenant_id: 1, n })),
      }),
    waiting: 500,
    most: 300,
  },
};

describe('fairness between tenants', () => {
  test.each(Object.entries(CROWDS))(
    'a single task starts after a few, with %s of another tenant before it',
    async (_, crowd) => {
      const { client, worker } = await openJobs();
      await crowd.enqueue(client);
      await waitFor('all to wait', async () => (await client.queues())[0]?.normal === crowd.waiting);
      await enqueue(client, 2, 1);
      const { handler, started } = noting(() => 100);
      worker([handler]);
      await waitFor('the single task to start', () => of(2, started).length > 0);
      expect(started.findIndex(({ tenant }) => tenant === 2)).toBeLessThan(crowd.most);
    },
    120_000,
  );

  test('three tenants with a backlog each share the slots, each in its own order', async () => {
    const { client, worker } = await openJobs();
    for (const tenant of [1, 2, 3]) await enqueue(client, tenant, CROWD);
    const { handler, started } = noting();
    worker([handler], { concurrency: 1 });
    await waitFor('one to start early', () => of(3, started).length > 0);
    const from = started.length;
    await waitFor('a number of starts', () => started.length >= from + 60);
    for (const tenant of [1, 2, 3]) {
      const own = of(tenant, started);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
      const share = of(tenant, started.slice(from, from + 60)).length;
      expect(share, `of tenant ${tenant}`).toBeGreaterThan(10);
    }
  });

  test('a tenant with a weight of 4 starts four tasks while another starts one', async () => {
    const { client, worker } = await openJobs();
    for (const tenant of [1, 2]) await enqueue(client, tenant, CROWD);
    const { handler, started } = noting();
    const plans = new Map<string, Plan>([['2', 'business']]);
    worker([handler], { concurrency: 1, tenantWeight: weightByPlan(plans) });
    await waitFor('one to start early', () => of(2, started).length > 0);
    const from = started.length;
    await waitFor('a number of starts', () => started.length >= from + 50);
    const share = of(2, started.slice(from, from + 50)).length;
    expect(share).toBeGreaterThanOrEqual(35);
    expect(share).toBeLessThanOrEqual(45);
  });

  test.each([
    [
      'fails',
      () => {
        throw new Error('no plan');
      },
    ],
    ['returns no weight', () => 0],
  ])('a function of weights that %s leaves tenants equal', async (_, tenantWeight: () => number) => {
    const { client, worker } = await openJobs();
    for (const tenant of [1, 2]) await enqueue(client, tenant, CROWD);
    const { handler, started } = noting();
    worker([handler], { concurrency: 1, tenantWeight });
    await waitFor('one to start early', () => of(2, started).length > 0);
    const from = started.length;
    await waitFor('a number of starts', () => started.length >= from + 20);
    const share = of(2, started.slice(from, from + 20)).length;
    expect(share).toBeGreaterThanOrEqual(7);
    expect(share).toBeLessThanOrEqual(13);
  });

  test('every task runs once, whatever the order, and nothing is left', async () => {
    const { client, worker } = await openJobs();
    const ids = [
      ...(await enqueue(client, 1, CROWD)),
      ...(await enqueue(client, 2, 60)),
      ...(await enqueue(client, 3, 60)),
    ];
    const { handler, started } = noting(() => 1);
    worker([handler]);
    worker([handler]);
    await queueIsEmpty(client);
    expect(started.length).toBe(ids.length);
    expect(new Set(started.map(({ tenant, n }) => `${tenant} ${n}`)).size).toBe(ids.length);
    const states = await Promise.all(ids.map(async (id) => (await client.status(id))?.state));
    expect(new Set(states)).toEqual(new Set(['SUCCESS']));
  });

  test('a task that runs early is revoked, unique and looked up as any other', async () => {
    const { client, worker } = await openJobs();
    await enqueue(client, 1, CROWD);
    const { id } = await client.enqueue(report, { tenant_id: 2, n: 0 }, { id: 'only-one', unique: true });
    const { handler, started } = noting((tenant) => (tenant === 2 ? 60_000 : 50));
    worker([handler]);
    await waitFor('the task to start', () => of(2, started).length === 1);
    expect(of(1, started).length).toBeLessThan(CROWD);
    await expect(
      client.enqueue(report, { tenant_id: 2, n: 1 }, { id: 'only-one', unique: true }),
    ).rejects.toMatchObject({ code: 'publish_conflict' });
    await waitFor('its record', async () => (await client.status(id))?.state === 'STARTED');
    expect(await client.purge('work')).toBeGreaterThan(0);
    expect((await client.status(id))?.state).toBe('STARTED');
    expect(await client.revoke(id, { terminate: true })).toBe('signalled');
    expect((await client.result(id)).state).toBe('REVOKED');
    await queueIsEmpty(client);
    expect(of(2, started)).toEqual([0]);
  });

  test('a task that runs early is handed back by a worker that stops', async () => {
    const { client, worker } = await openJobs();
    await enqueue(client, 1, CROWD);
    const { id } = await client.enqueue(report, { tenant_id: 2, n: 0 });
    const first = noting((tenant) => (tenant === 2 ? 60_000 : 50));
    const stopping = worker([first.handler], { shutdownGraceMs: 1 });
    await waitFor('the task to start', () => of(2, first.started).length === 1);
    await stopping.stop();
    const second = noting(() => 1);
    worker([second.handler]);
    expect((await client.result(id)).state).toBe('SUCCESS');
    expect(of(2, second.started)).toEqual([0]);
    await queueIsEmpty(client);
  });

  test('nothing is taken early beside a worker of an older version', async () => {
    const { client, worker, connection, topology } = await openJobs();
    const { names } = topology;
    await enqueue(client, 1, CROWD);
    await client.enqueue(report, { tenant_id: 2, n: 0 });
    const { handler, started } = noting(() => 1);
    const own = worker([handler], { concurrency: 1 });
    await waitFor('its first task', () => started.length > 0);
    // As this version wrote it, without what it can do.
    const { features, ...older } = own.stats();
    expect(features).toBeDefined();
    const tell = (): void =>
      connection.publish(
        names.controlKey('worker.older'),
        JSON.stringify({ ...older, name: 'older', at: new Date().toISOString() }),
      );
    tell();
    await connection.flush();
    const from = started.length;
    const telling = setInterval(tell, 1_000);
    await queueIsEmpty(client);
    clearInterval(telling);
    // It was the last, unless it was taken before the older worker came.
    const place = started.findIndex(({ tenant }) => tenant === 2);
    expect(place === CROWD || place < from + 2).toBe(true);
  });

  test('no task is lost and no slot leaks when workers are killed at random', async () => {
    const jobs = await openJobs({ ackWaitMs: 2_000 });
    const { client } = jobs;
    const ids: string[] = [];
    ids.push(...(await enqueue(client, 1, CROWD)));
    for (let tenant = 2; tenant <= 6; tenant++) ids.push(...(await enqueue(client, tenant, 15)));
    for (let round = 0; round < 4; round++) {
      const program = startWorker(jobs);
      await program.ready();
      await delay(800 + Math.random() * 1_200);
      await program.kill('SIGKILL');
    }
    startWorker(jobs);
    await queueIsEmpty(client);
    const states = await Promise.all(ids.map(async (id) => (await client.status(id))?.state));
    expect(new Set(states)).toEqual(new Set(['SUCCESS']));
  }, 120_000);
});

function startWorker({ natsUrl, topology }: Jobs): ReturnType<typeof spawnProgram> {
  return spawnProgram('test/src/jobs/fair-worker.mjs', {
    NATS_URL: natsUrl,
    PREFIX: topology.names.prefix,
    RUN_MS: '25',
  });
}
