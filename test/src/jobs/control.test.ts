/** Inspecting and controlling workers. */
import { connectToNats, createWorker, defineTask, handleTask, reconcileTopology } from '@stratum/jobs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, waitFor } from '../harness/index.js';
import { add, addHandler, flakyHandler, openJobs, type Jobs } from './fixture.js';

const gated = defineTask({ name: 'gated', queue: 'work', input: z.object({}), output: z.null() });

function gate(): { handler: ReturnType<typeof handleTask>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    open: () => open(),
    handler: handleTask(gated, async (_payload, context) => {
      context.progress(1, 2, 'at the gate');
      await opened;
      return null;
    }),
  };
}

const seen = ({ client }: Jobs, count: number): Promise<unknown> =>
  waitFor('the workers', async () => (await client.control.workers()).length === count);

describe('a worker', () => {
  test('reports its tasks', async () => {
    const jobs = await openJobs();
    const { client, worker } = jobs;
    const { handler, open } = gate();
    const { name } = worker([handler, addHandler], { concurrency: 1, prefetchMultiplier: 2 });
    const { id } = await client.enqueue(gated, {});
    const { id: next } = await client.enqueue(add, { a: 1, b: 1 });
    await seen(jobs, 1);
    const ask = async (verb: Parameters<typeof client.control.inspect>[0]): Promise<unknown> =>
      (await client.control.inspect(verb, { worker: name }))[0]?.reply;
    await waitFor('both tasks', async () => z.array(z.unknown()).parse(await ask('reserved')).length === 1);
    expect(await ask('active')).toEqual([
      expect.objectContaining({ id, task: 'gated', progress: { done: 1, total: 2, note: 'at the gate' } }),
    ]);
    expect(await ask('reserved')).toEqual([expect.objectContaining({ id: next, task: 'add' })]);
    expect(await ask('registered')).toEqual(['add', 'gated']);
    expect(await ask('stats')).toMatchObject({ name, concurrency: 1, running: 1, queues: ['work'] });
    expect(await ask('ping')).toMatchObject({ state: 'running' });
    open();
    await client.result(next);
    expect(await ask('stats')).toMatchObject({ succeeded: 2, running: 0 });
  });

  test('is found by any NATS tool', async () => {
    const { connection, topology, worker } = await openJobs();
    const { name } = worker([addHandler]);
    const info = await connection.request(`$SRV.INFO.${topology.names.workerService}.${name}`);
    expect(info.json()).toMatchObject({
      type: 'io.nats.micro.v1.info_response',
      name: topology.names.workerService,
      id: name,
      metadata: { queues: 'work' },
      endpoints: expect.arrayContaining([expect.objectContaining({ name: 'stats' })]),
    });
    const ping = await connection.request(`$SRV.PING.${topology.names.workerService}`);
    expect(ping.json()).toMatchObject({ type: 'io.nats.micro.v1.ping_response', id: name });
  });

  test('takes another concurrency at once', async () => {
    const jobs = await openJobs();
    const { client, worker } = jobs;
    const { handler, open } = gate();
    const busy = worker([handler], { concurrency: 1 });
    await client.enqueueMany(
      gated,
      Array.from({ length: 5 }, () => ({ payload: {} })),
    );
    await waitFor('the first', () => busy.runningCount === 1);
    await seen(jobs, 1);
    expect(await client.control.setConcurrency(4)).toEqual([
      { worker: busy.name, reply: { concurrency: 4 } },
    ]);
    await waitFor('four at once', () => busy.runningCount === 4);
    await expect(client.control.setConcurrency(0)).rejects.toThrow('whole number from 1');
    open();
  });

  test('shuts down on request after finishing its tasks', async () => {
    const jobs = await openJobs();
    const { client, worker } = jobs;
    const { handler, open } = gate();
    let stopped = false;
    const { name } = worker([handler], { onShutdownRequest: () => (stopped = true) });
    const { id } = await client.enqueue(gated, {});
    await waitFor('the task', async () => (await client.status(id))?.state === 'STARTED');
    expect(await client.control.shutdown({ worker: name })).toEqual([
      { worker: name, reply: { state: 'draining' } },
    ]);
    await waitFor(
      'its last words',
      async () => (await client.control.workers())[0]?.condition === 'draining',
    );
    open();
    await waitFor('its end', () => stopped);
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
    expect(await client.control.workers()).toEqual([]);
  });

  test('stops for a request that names it, and for nothing else', async () => {
    const jobs = await openJobs();
    const { client, connection, topology, worker } = jobs;
    const { name } = worker([addHandler]);
    await seen(jobs, 1);
    const { names } = topology;
    for (const body of ['', '{}', 'no JSON', '{"stream":"QUEUE_WORK","seq":1}', '{"shutdown":"another"}'])
      for (const addressee of [name, '_all'])
        expect(
          (await connection.request(names.workerSubject(addressee, 'shutdown'), body)).json(),
          body,
        ).toMatchObject({ worker: name, reply: { error: expect.any(String) } });
    // What the broker acknowledges: with the verb as its reply subject.
    const { id } = await client.enqueue(add, { a: 1, b: 1 });
    await client.result(id);
    connection.publish(
      names.taskSubject({ queue: 'work', priority: 'normal', tenant: undefined, task: 'add', id: 'stray' }),
      '{"a":1,"b":2}',
      { reply: names.workerSubject('_all', 'shutdown') },
    );
    expect(await client.result('stray')).toMatchObject({ state: 'SUCCESS', result: { sum: 3 } });
    expect(await client.control.inspect('ping')).toMatchObject([
      { worker: name, reply: { state: 'running' } },
    ]);
    expect(await client.control.shutdown()).toEqual([{ worker: name, reply: { state: 'draining' } }]);
  });

  test('answers no request whose answer would be a message of the platform', async () => {
    const { client, connection, topology, worker, ...jobs } = await openJobs();
    worker([addHandler]);
    await seen({ client, connection, topology, worker, ...jobs }, 1);
    const { names } = topology;
    const heard: string[] = [];
    connection.subscribe(`${names.prefix}.>`, {
      callback: (_error, message) => void heard.push(message.subject),
    });
    const asked = names.workerSubject('_all', 'stats');
    connection.publish(asked, '', { reply: names.resultNotice('mine') });
    connection.publish(`$SRV.PING.${names.workerService}`, '', { reply: names.resultNotice('mine') });
    expect(await client.control.inspect('ping')).toHaveLength(1);
    await connection.flush();
    expect(heard).toContain(asked);
    expect(heard).not.toContain(names.resultNotice('mine'));
  });

  test('that dies is unreachable within 30 seconds', async () => {
    const jobs = await openJobs();
    const { client, natsUrl, topology } = jobs;
    const connection = await connectToNats({ servers: natsUrl, name: 'dying' });
    const dying = createWorker({ connection, topology, queues: ['work'], handlers: [addHandler] });
    dying.start();
    onTestFinished(() => dying.stop());
    await seen(jobs, 1);
    expect(await client.control.workers()).toMatchObject([{ name: dying.name, condition: 'ready' }]);
    await connection.close();
    await waitFor(
      'the verdict',
      async () => (await client.control.workers())[0]?.condition === 'unreachable',
    );
    expect(await client.control.inspect('ping')).toEqual([]);
  });
});

test('a process that is connected and does not answer is blocked; once it is gone, it is unreachable', async () => {
  const { client, natsUrl, topology } = await openJobs();
  const frozen = spawnProgram('test/src/jobs/blocking-worker.mjs', {
    NATS_URL: natsUrl,
    PREFIX: topology.names.prefix,
  });
  await frozen.ready();
  const condition = async (): Promise<string | undefined> => (await client.control.workers())[0]?.condition;
  await waitFor('its heartbeat', async () => (await condition()) === 'ready');
  const [worker] = await client.control.workers();
  expect(worker).toMatchObject({ version: expect.any(String), memory_bytes: expect.any(Number) });
  expect(worker).toMatchObject({ cpu_percent: expect.any(Number), loop_lag_ms: expect.any(Number) });
  process.kill(frozen.pid, 'SIGSTOP');
  await waitFor('a late heartbeat', async () => (await condition()) === 'blocked');
  await frozen.kill('SIGKILL');
  await waitFor('its end', async () => (await condition()) === 'unreachable');
});

describe('a paused queue', () => {
  test('hands out nothing, survives a reconciliation, and goes on where it was', async () => {
    const { client, worker, connection, topology } = await openJobs();
    await client.control.pause('work');
    worker([addHandler]);
    const { id } = await client.enqueue(add, { a: 1, b: 1 });
    await reconcileTopology(connection, topology);
    expect(await client.queues()).toMatchObject([{ queue: 'work', paused: true, normal: 1 }]);
    await expect(client.result(id, { timeoutMs: 500 })).rejects.toThrow(/has not ended/);
    await client.control.resume('work');
    expect(await client.queues()).toMatchObject([{ paused: false }]);
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  });

  test('that workers were already waiting on is paused for them, too', async () => {
    const { client, worker } = await openJobs();
    worker([addHandler]);
    const { id: first } = await client.enqueue(add, { a: 1, b: 1 });
    await client.result(first);
    await client.control.pause('work');
    const { id } = await client.enqueue(add, { a: 1, b: 1 });
    await expect(client.result(id, { timeoutMs: 500 })).rejects.toThrow(/has not ended/);
    await client.control.resume('work');
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  });
});

describe('a rate limit', () => {
  test('holds over all workers, for its task alone, until it is lifted', async () => {
    const jobs = await openJobs();
    const { client, worker } = jobs;
    const starts: number[] = [];
    const limited = handleTask(gated, () => {
      starts.push(Date.now());
      return null;
    });
    await client.control.setRateLimit('gated', { limit: 20, perMs: 1_000 });
    expect(await client.control.rateLimits()).toEqual([{ task: 'gated', limit: 20, perMs: 1_000 }]);
    worker([limited, addHandler, flakyHandler], { concurrency: 8 });
    worker([limited, addHandler, flakyHandler], { concurrency: 8 });
    await seen(jobs, 2);
    const tasks = await client.enqueueMany(
      gated,
      Array.from({ length: 24 }, () => ({ payload: {} })),
    );
    const { id: free } = await client.enqueue(add, { a: 1, b: 1 });
    const { started_at: freeAt } = await client.result(free);
    for (const { id } of tasks) await client.result(id);
    expect(Date.parse(freeAt ?? '')).toBeLessThan(starts.at(-1) ?? 0);
    const took = (starts.at(-1) ?? 0) - (starts[0] ?? 0);
    // 24 starts are 23 intervals of 50 ms.
    expect(took).toBeGreaterThan(1_050);
    await client.control.setRateLimit('gated', undefined);
    expect(await client.control.rateLimits()).toEqual([]);
  });

  test('lets its tasks start although long ones of others hold every slot at their turns', async () => {
    const { client, worker } = await openJobs();
    await client.control.setRateLimit('gated', { limit: 10, perMs: 1_000 });
    const order: string[] = [];
    const slow = defineTask({ name: 'slow', queue: 'work', input: z.object({}), output: z.null() });
    const handlers = [
      handleTask(gated, () => {
        order.push('gated');
        return null;
      }),
      // Several times the interval of the limit: no slot is ever free at a turn.
      handleTask(slow, async () => {
        order.push('slow');
        await delay(300);
        return null;
      }),
    ];
    const limited = await client.enqueueMany(
      gated,
      Array.from({ length: 3 }, () => ({ payload: {} })),
    );
    const others = await client.enqueueMany(
      slow,
      Array.from({ length: 12 }, () => ({ payload: {} })),
    );
    worker(handlers, { concurrency: 1, prefetchMultiplier: 8 });
    for (const { id } of limited) await client.result(id);
    expect(order.filter((name) => name === 'slow').length).toBeLessThan(8);
    expect(others).toHaveLength(12);
  });

  test('delays its own tasks alone, which wait at the broker and not in the worker', async () => {
    const jobs = await openJobs();
    const { client, worker } = jobs;
    await client.control.setRateLimit('gated', { limit: 1, perMs: 2_000 });
    let starts = 0;
    const limited = handleTask(gated, () => {
      starts++;
      return null;
    });
    await client.enqueueMany(
      gated,
      Array.from({ length: 300 }, () => ({ payload: {} })),
    );
    const { id: free } = await client.enqueue(add, { a: 1, b: 1 });
    const only = worker([limited, addHandler, flakyHandler], { concurrency: 2 });
    expect(await client.result(free)).toMatchObject({ state: 'SUCCESS' });
    expect(starts).toBeLessThan(20);
    await waitFor('the others to wait at the broker', async () => {
      const [queue] = await client.queues();
      return queue !== undefined && queue.delayed > 290 && only.scheduled().length < 5;
    });
    const [waits] = await client.control.rateWaits();
    expect(waits).toMatchObject({ task: 'gated', limit: 1, perMs: 2_000 });
    expect(waits?.waiting).toBeGreaterThan(250);
    expect(waits?.waiting).toBeLessThanOrEqual(300);
  });
});
