/** Limits on tasks of one key that run at once. */
import { defineTask, handleTask, type TaskHandler } from '@stratum/jobs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { add, addHandler, openJobs, queueIsEmpty, type Jobs } from '../fixture.js';

const limited = defineTask({
  name: 'limited',
  queue: 'work',
  input: z.object({ account: z.string(), n: z.int() }),
  output: z.null(),
  keyLimits: [{ key: 'payload.account', concurrency: 2 }],
});

interface Counted {
  handler: TaskHandler;
  /** By key: the most that ran at once, and the tasks in the order of their starts. */
  most: Map<string, number>;
  order: Map<string, number[]>;
}

/** @param atOnce however slowly tasks come: the first of a key runs until so many do */
function counting(runMs: number, atOnce = 1): Counted {
  const running = new Map<string, number>();
  const most = new Map<string, number>();
  const order = new Map<string, number[]>();
  const handler = handleTask(limited, async ({ account, n }) => {
    const now = (running.get(account) ?? 0) + 1;
    running.set(account, now);
    most.set(account, Math.max(most.get(account) ?? 0, now));
    order.set(account, [...(order.get(account) ?? []), n]);
    await waitFor('others of the key', () => (most.get(account) ?? 0) >= atOnce);
    await delay(runMs);
    running.set(account, (running.get(account) ?? 0) - 1);
    return null;
  });
  return { handler, most, order };
}

/** Runs tasks until it is opened, and says how many run. */
function gate(): { handler: TaskHandler; running: () => number; open: () => void } {
  let running = 0;
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const handler = handleTask(limited, async () => {
    running++;
    await opened;
    running--;
    return null;
  });
  return { handler, running: () => running, open: () => open() };
}

const tasksOf = (account: string, count: number): { payload: { account: string; n: number } }[] =>
  Array.from({ length: count }, (_, n) => ({ payload: { account, n } }));

async function allWait({ client }: Jobs, waiting: number): Promise<void> {
  await waitFor('the others to wait', async () => {
    const [wait] = await client.control.keyWaits();
    const [queue] = await client.queues();
    return wait?.waiting === waiting && queue?.delayed === waiting;
  });
}

test('holds over two workers, for each key by itself, and hinders nobody else', async () => {
  const { client, worker } = await openJobs();
  const { handler, most, order } = counting(20, 2);
  for (let workers = 0; workers < 2; workers++) worker([handler, addHandler], { concurrency: 8 });
  const tasks = await client.enqueueMany(
    limited,
    ['a', 'b', 'c'].flatMap((account) => tasksOf(account, 20)),
  );
  const { id: free } = await client.enqueue(add, { a: 1, b: 1 });
  expect(await client.result(free)).toMatchObject({ state: 'SUCCESS' });
  for (const { id } of tasks) expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  expect(Object.fromEntries(most)).toEqual({ a: 2, b: 2, c: 2 });
  for (const numbers of order.values())
    expect(numbers.toSorted((x, y) => x - y)).toEqual([...numbers.keys()]);
  await queueIsEmpty(client);
  await waitFor('the places to be free', async () => (await client.control.keyWaits()).length === 0);
});

test('tasks of one key run in the order of their enqueueing', async () => {
  const { client, worker } = await openJobs();
  await client.control.setKeyLimit('limited', 'account', { concurrency: 1 });
  const { handler, order } = counting(1);
  const tasks = await client.enqueueMany(limited, tasksOf('a', 40));
  worker([handler, addHandler], { concurrency: 4 });
  for (const { id } of tasks) await client.result(id);
  expect(order.get('a')).toEqual(tasks.map((_, n) => n));
});

test('those who wait hold no slot, and can be seen, revoked and expire', async () => {
  const jobs = await openJobs();
  const { client, worker } = jobs;
  const { handler, running, open } = gate();
  worker([handler, addHandler], { concurrency: 3 });
  const tasks = await client.enqueueMany(limited, tasksOf('a', 5));
  const { id: late } = await client.enqueue(
    limited,
    { account: 'a', n: 5 },
    { expires: new Date(Date.now() + 1_500) },
  );
  await allWait(jobs, 4);
  expect(running()).toBe(2);
  expect(await client.control.keyWaits()).toMatchObject([
    { task: 'limited', name: 'account', key: 'a', concurrency: 2, running: 2, waiting: 4 },
  ]);
  expect(await client.control.keyLines()).toEqual([
    { task: 'limited', limit: 'account', keys: 1, waiting: 4 },
  ]);
  const { id: free } = await client.enqueue(add, { a: 1, b: 1 });
  expect(await client.result(free)).toMatchObject({ state: 'SUCCESS' });
  const waiting = [];
  for (const { id } of tasks) if ((await client.status(id))?.state === 'SCHEDULED') waiting.push(id);
  expect(waiting).toHaveLength(3);
  const [first = ''] = waiting;
  await client.revoke(first);
  expect(await client.status(first)).toMatchObject({ state: 'REVOKED' });
  expect(await client.result(late)).toMatchObject({ state: 'EXPIRED' });
  open();
  for (const { id } of tasks)
    expect(await client.result(id)).toMatchObject({ state: id === first ? 'REVOKED' : 'SUCCESS' });
  await waitFor('the places to be free', async () => (await client.control.keyWaits()).length === 0);
});

test('is changed at run time, for those who wait as well, and returns to the contract', async () => {
  const jobs = await openJobs();
  const { client, worker } = jobs;
  const { handler, running, open } = gate();
  worker([handler, addHandler], { concurrency: 16 });
  await client.enqueueMany(limited, tasksOf('a', 8));
  await allWait(jobs, 6);
  await client.control.setKeyLimit('limited', 'account', { concurrency: 5 });
  expect(await client.control.keyLimits()).toEqual([{ task: 'limited', name: 'account', concurrency: 5 }]);
  await waitFor('five of them', () => running() === 5);
  await client.control.setKeyLimit('limited', 'account', { concurrency: null });
  await waitFor('all of them', () => running() === 8);
  await client.control.setKeyLimit('limited', 'account', undefined);
  expect(await client.control.keyLimits()).toEqual([]);
  open();
  await queueIsEmpty(client);
});

test('a failure and its retry give the place to others', async () => {
  const { client, worker } = await openJobs();
  await client.control.setKeyLimit('limited', 'account', { concurrency: 1 });
  const order: string[] = [];
  const flaky = handleTask(limited, ({ n }, { retries }) => {
    order.push(`${n}-${retries}`);
    if (n === 0 && retries === 0) throw new Error('fails once');
    return null;
  });
  const first = await client.enqueue(limited, { account: 'a', n: 0 });
  const second = await client.enqueue(limited, { account: 'a', n: 1 });
  worker([flaky, addHandler], { concurrency: 1, defaults: { backoff: { kind: 'fixed', delayMs: 200 } } });
  expect(await client.result(second.id)).toMatchObject({ state: 'SUCCESS' });
  expect(await client.result(first.id)).toMatchObject({ state: 'SUCCESS', retries: 1 });
  expect(order).toEqual(['0-0', '1-0', '0-1']);
});

test('tasks of a queue that is spread over several streams are called as well', async () => {
  const { client, worker } = await openJobs({ queues: [{ name: 'work', shards: 3 }] });
  const { handler, most } = counting(10, 2);
  worker([handler, addHandler], { concurrency: 8 });
  const tasks = await client.enqueueMany(limited, tasksOf('a', 12));
  for (const { id } of tasks) expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  expect(most.get('a')).toBe(2);
});

test('shows no key any more that names somebody who was erased, and holds on', async () => {
  const { client, worker } = await openJobs();
  const { handler, running, open } = gate();
  worker([handler], { concurrency: 8 });
  const ids = (await client.enqueueMany(limited, tasksOf('ann@example.com', 3))).map(({ id }) => id);
  await waitFor('two to run and one to wait', async () => {
    const [wait] = await client.control.keyWaits();
    return running() === 2 && wait?.key === 'ann@example.com' && wait.waiting === 1;
  });
  const matches = (body: Uint8Array): boolean => Buffer.from(body).includes('ann@');
  expect(await client.erase({ tenant: '1', matches: () => false })).toMatchObject({ limit_keys: 0 });
  expect(await client.erase({ tenant: '1', matches })).toMatchObject({ limit_keys: 1 });
  expect(await client.control.keyWaits()).toMatchObject([{ key: '', waiting: 1 }]);
  expect(running()).toBe(2);
  open();
  for (const id of ids) expect((await client.result(id)).state).toBe('SUCCESS');
});
