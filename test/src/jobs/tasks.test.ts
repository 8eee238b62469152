/** A task's way from a producer to its result. */
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import {
  defineTask,
  handleTask,
  InvalidPayloadError,
  JobsError,
  ResultTimeoutError,
  type TaskEvent,
} from '@stratum/jobs';
import { pino } from 'pino';
import { describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { add, addHandler, flaky, flakyHandler, openJobs, type Jobs } from './fixture.js';

/** The dead letter of a task, once it is there. */
/** Text in place of a number is shown as the number that it stands for. */
function asSent(value: unknown): string {
  return JSON.stringify(value).replaceAll(/"(\d{16,})"/g, '$1');
}

async function deadLetter(
  { connection, topology }: Jobs,
  task: string,
  id: string,
): Promise<{ reason: string; body: string; subject: string }> {
  const manager = await jetstreamManager(connection);
  return waitFor(`the dead letter of ${id}`, async () => {
    const stored = await manager.streams
      .getMessage(topology.names.deadStream, { last_by_subj: topology.names.deadSubject('work', task, id) })
      .catch(() => null);
    if (stored === null) return undefined;
    return {
      reason: stored.header.get('Dead-Reason'),
      subject: stored.header.get('Dead-Subject'),
      body: new TextDecoder().decode(stored.data),
    };
  });
}

describe('a task', () => {
  test('runs, and its record is complete', async () => {
    const { client, worker } = await openJobs();
    const { name } = worker([addHandler]);
    const { id, duplicate } = await client.enqueue(add, { a: 2, b: 40, tenant_id: 7 });
    expect(duplicate).toBe(false);
    expect(await client.result(id)).toMatchObject({
      id,
      task: 'add',
      queue: 'work',
      tenant: '7',
      priority: 'normal',
      state: 'SUCCESS',
      retries: 0,
      worker: name,
      result: { sum: 42 },
      error: null,
      parent_id: null,
      root_id: id,
    });
  });

  test('published by a plain NATS client, with no header at all, runs', async () => {
    const { client, topology, worker } = await openJobs();
    worker([addHandler]);
    const plain = await connect({ servers: inject('natsUrl') });
    plain.publish(`${topology.names.prefix}.tasks.work.high.1.add.my-id-1`, '{"a":1,"b":1}');
    await plain.drain();
    expect(await client.result('my-id-1')).toMatchObject({
      state: 'SUCCESS',
      result: { sum: 2 },
      tenant: '1',
      priority: 'high',
    });
  });

  test('that was enqueued before any worker started waits for one', async () => {
    const { client, worker } = await openJobs();
    const { id } = await client.enqueue(add, { a: 1, b: 2 });
    expect(await client.status(id)).toMatchObject({ state: 'PENDING', task: 'add', worker: null });
    worker([addHandler]);
    expect(await client.result(id)).toMatchObject({ result: { sum: 3 } });
  });

  test('with a delay is scheduled first, and starts no earlier', async () => {
    const { client, worker } = await openJobs();
    worker([addHandler]);
    const dueAt = Date.now() + 400;
    const { id } = await client.enqueue(add, { a: 1, b: 1 }, { eta: new Date(dueAt) });
    expect(await client.status(id)).toMatchObject({ state: 'SCHEDULED' });
    const record = await client.result(id);
    expect(Date.parse(record.started_at ?? '')).toBeGreaterThanOrEqual(dueAt);
  });

  test('that expires before it starts is never run', async () => {
    const { client, worker } = await openJobs();
    const { id } = await client.enqueue(add, { a: 1, b: 1 }, { expires: new Date(Date.now() - 1) });
    worker([addHandler]);
    expect(await client.result(id)).toMatchObject({ state: 'EXPIRED', result: null });
  });

  test('enqueued twice under one id runs once', async () => {
    const { client, worker } = await openJobs();
    let runs = 0;
    await client.enqueue(add, { a: 1, b: 1 }, { id: 'once' });
    expect(await client.enqueue(add, { a: 1, b: 1 }, { id: 'once' })).toEqual({
      id: 'once',
      duplicate: true,
    });
    worker([handleTask(add, ({ a, b }) => ({ sum: a + b + ++runs }))]);
    expect(await client.result('once')).toMatchObject({ result: { sum: 3 } });
    await waitFor('the queue to be empty', async () => {
      const [queue] = await client.queues();
      return queue?.normal === 0 && queue.running === 0;
    });
    expect(runs).toBe(1);
  });

  test('nobody has seen is unknown, not pending', async () => {
    const { client } = await openJobs();
    expect(await client.status('nobody')).toBeUndefined();
    await expect(client.result('nobody', { timeoutMs: 30 })).rejects.toBeInstanceOf(ResultTimeoutError);
  });

  test('enqueued by a task points to its parent and to the first of the family', async () => {
    const { client, worker } = await openJobs();
    const parent = defineTask({
      name: 'parent',
      queue: 'work',
      input: z.object({}),
      output: z.object({ child: z.string() }),
    });
    worker([
      addHandler,
      handleTask(parent, async (_payload, context) => ({
        child: (await context.enqueue(add, { a: 1, b: 1 })).id,
      })),
    ]);
    const { id } = await client.enqueue(parent, {});
    const { child } = parent.output.parse((await client.result(id)).result);
    expect(await client.result(child)).toMatchObject({ parent_id: id, root_id: id });
  });

  test('reports its progress', async () => {
    const { client, worker } = await openJobs();
    const long = defineTask({ name: 'long', queue: 'work', input: z.object({}), output: z.null() });
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    worker([
      handleTask(long, async (_payload, context) => {
        context.progress(1, 3, 'first of three');
        await finished;
        return null;
      }),
    ]);
    const { id } = await client.enqueue(long, {});
    const record = await waitFor('the progress', async () => {
      const found = await client.status(id);
      return found?.progress ? found : undefined;
    });
    expect(record).toMatchObject({
      state: 'STARTED',
      progress: { done: 1, total: 3, note: 'first of three' },
    });
    finish();
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  });

  describe('publishes', () => {
    const listen = ({ connection, topology }: Jobs): TaskEvent[] => {
      const events: TaskEvent[] = [];
      connection.subscribe(topology.names.eventFilter, {
        callback: (_error, message) => void events.push(message.json<TaskEvent>()),
      });
      return events;
    };

    test('the end of each short attempt, which says when it started', async () => {
      const jobs = await openJobs();
      const events = listen(jobs);
      jobs.worker([flakyHandler]);
      await jobs.client.result((await jobs.client.enqueue(flaky, { failures: 1 })).id);
      await waitFor('the last event', () => events.some(({ state }) => state === 'SUCCESS'));
      const ended = events.filter(({ state }) => state !== 'STARTED');
      expect(ended.map(({ state, retries }) => `${state} ${retries}`)).toEqual(['RETRY 1', 'SUCCESS 1']);
      for (const { started_at: startedAt } of ended) expect(startedAt).toMatch(/^\d{4}-.*Z$/);
    });

    test('the start of an attempt that takes longer, before its end', async () => {
      const jobs = await openJobs();
      const events = listen(jobs);
      const slow = defineTask({ name: 'slow', queue: 'work', input: z.object({}), output: z.null() });
      let finish: () => void = () => undefined;
      const finished = new Promise<void>((resolve) => (finish = resolve));
      jobs.worker([handleTask(slow, () => finished.then(() => null))]);
      const { id } = await jobs.client.enqueue(slow, {});
      const started = await waitFor('its start', () => events[0]);
      expect(started).toMatchObject({ id, state: 'STARTED', finished_at: null });
      finish();
      await waitFor('its end', () => events.length === 2);
      expect(events[1]).toMatchObject({ id, state: 'SUCCESS', started_at: started.started_at });
    });

    test('a logger only for an attempt that logs', async () => {
      const { worker, client } = await openJobs();
      let children = 0;
      const logger = pino({ level: 'silent', onChild: () => void children++ });
      worker([addHandler], { logger });
      await client.result((await client.enqueue(add, { a: 1, b: 1 })).id);
      const before = children;
      for (let n = 0; n < 5; n++) await client.result((await client.enqueue(add, { a: n, b: 1 })).id);
      expect(children).toBe(before);
    });
  });
});

describe('a bad payload', () => {
  test('is refused when it is enqueued, naming the fields', async () => {
    const { client } = await openJobs();
    const refused = client.enqueue(add, JSON.parse('{"a":"one"}'));
    await expect(refused).rejects.toBeInstanceOf(InvalidPayloadError);
    await expect(refused).rejects.toThrow(/a: .*b: /);
  });

  test('in a batch enqueues none of it', async () => {
    const { client } = await openJobs();
    const items = [{ payload: { a: 1, b: 1 } }, { payload: JSON.parse('{}') }];
    await expect(client.enqueueMany(add, items)).rejects.toBeInstanceOf(InvalidPayloadError);
    expect(await client.queues()).toMatchObject([{ normal: 0 }]);
  });

  test.each([
    ['that is no JSON', 'not json'],
    ['that does not fit the schema', '{"a":1}'],
    ['with a number that JavaScript would round', '{"a":1,"b":9007199254740993}'],
  ])('%s, published past the client, becomes a dead letter as it was', async (_label, body) => {
    const jobs = await openJobs();
    jobs.worker([addHandler]);
    const subject = `${jobs.topology.names.prefix}.tasks.work.normal._.add.bad-1`;
    jobs.connection.publish(subject, body);
    expect(await jobs.client.result('bad-1')).toMatchObject({
      state: 'FAILURE',
      error: { retryable: false },
    });
    expect(await deadLetter(jobs, 'add', 'bad-1')).toEqual({ reason: 'invalid_payload', body, subject });
    // As people see it, every digit is as it was sent.
    const shown = [
      await jobs.client.maskedPayload('bad-1'),
      (await jobs.client.deadLetters.get('bad-1'))?.payload,
    ];
    if (body.startsWith('{')) for (const value of shown) expect(asSent(value)).toBe(body);
  });

  test('larger than the server takes is refused with advice', async () => {
    const { client } = await openJobs();
    const refused = client.publish('work', 'add', { text: 'x'.repeat(2_000_000) });
    await expect(refused).rejects.toMatchObject({ code: 'payload_too_large' });
    await expect(refused).rejects.toThrow(/ids, not objects/);
  });

  test('larger than the server takes, in a batch, leaves an error that lists what was stored', async () => {
    const { client } = await openJobs();
    const large = defineTask({
      name: 'large',
      queue: 'work',
      input: z.object({ text: z.string() }),
      output: z.null(),
    });
    const sizes = [1, 2_000_000, 2];
    const items = sizes.map((size, index) => ({
      payload: { text: 'x'.repeat(size) },
      options: { id: `item-${index}` },
    }));
    await expect(client.enqueueMany(large, items)).rejects.toMatchObject({
      code: 'payload_too_large',
      details: {
        stored: [
          { index: 0, id: 'item-0', duplicate: false },
          { index: 2, id: 'item-2', duplicate: false },
        ],
        failed: [{ index: 1, code: 'payload_too_large' }],
      },
    });
    expect(await client.queues()).toMatchObject([{ normal: 2 }]);
  });
});

describe('a failing task', () => {
  test('is retried after its delay, as often as its policy allows', async () => {
    const { client, worker } = await openJobs();
    worker([flakyHandler]);
    const { id } = await client.enqueue(flaky, { failures: 2 });
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', retries: 2, result: { retries: 2 } });
  });

  test('that has used up its retries becomes a dead letter', async () => {
    const jobs = await openJobs();
    jobs.worker([flakyHandler]);
    const { id } = await jobs.client.enqueue(flaky, { failures: 9 });
    expect(await jobs.client.result(id)).toMatchObject({
      state: 'FAILURE',
      retries: 2,
      error: { message: 'failure 3', retryable: true },
    });
    expect(await deadLetter(jobs, 'flaky', id)).toMatchObject({
      reason: 'max_retries',
      body: '{"failures":9}',
    });
    expect(await jobs.client.queues()).toMatchObject([{ normal: 0, delayed: 0, running: 0 }]);
  });

  test('obeys the retry headers of its message', async () => {
    const { client, worker } = await openJobs();
    worker([flakyHandler]);
    const { id } = await client.enqueue(flaky, { failures: 1 }, { maxRetries: 0 });
    expect(await client.result(id)).toMatchObject({ state: 'FAILURE', retries: 0 });
  });

  test('whose error is not retryable fails at once', async () => {
    const jobs = await openJobs();
    jobs.worker([
      handleTask(flaky, () => {
        throw Object.assign(new Error('no such account'), { retryable: false });
      }),
    ]);
    const { id } = await jobs.client.enqueue(flaky, { failures: 0 });
    expect(await jobs.client.result(id)).toMatchObject({
      state: 'FAILURE',
      retries: 0,
      error: { message: 'no such account' },
    });
    expect(await deadLetter(jobs, 'flaky', id)).toMatchObject({ reason: 'not_retryable' });
  });

  test('without a handler becomes a dead letter, after a while', async () => {
    const jobs = await openJobs();
    jobs.worker([addHandler], { unknownForMs: 800 });
    const { id } = await jobs.client.publish('work', 'nothing', {});
    expect(await deadLetter(jobs, 'nothing', id)).toMatchObject({ reason: 'unknown_task' });
    expect(await jobs.client.result(id)).toMatchObject({ state: 'FAILURE', retries: 0, snoozes: 2 });
  });

  test('that only another worker knows waits for that one', async () => {
    const jobs = await openJobs();
    jobs.worker([addHandler]);
    const { id } = await jobs.client.enqueue(flaky, { failures: 0 });
    await waitFor('it to wait', async () => (await jobs.client.status(id))?.state === 'SCHEDULED');
    jobs.worker([handleTask(flaky, () => ({ retries: 7 }))]);
    expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: { retries: 7 } });
  });

  test('whose payload only a newer worker takes waits for that one', async () => {
    const jobs = await openJobs();
    const newer = defineTask({
      name: add.name,
      queue: add.queue,
      input: z.object({ a: z.union([z.number(), z.string()]), b: z.number() }),
      output: add.output,
    });
    const old = jobs.worker([addHandler]);
    const next = jobs.worker([handleTask(newer, ({ a, b }) => ({ sum: Number(a) + b }))]);
    await waitFor('both to be known', async () => (await jobs.client.control.workers()).length === 2);
    const enqueued = await jobs.client.enqueueMany(
      newer,
      Array.from({ length: 8 }, () => ({ payload: { a: '1', b: 1 } })),
    );
    const records = await Promise.all(enqueued.map(({ id }) => jobs.client.result(id)));
    expect(new Set(records.map(({ state, worker }) => `${state} ${worker}`))).toEqual(
      new Set([`SUCCESS ${next.name}`]),
    );
    expect(old.stats().failed).toBe(0);
  });

  test('whose result breaks its contract becomes a dead letter', async () => {
    const jobs = await openJobs();
    jobs.worker([handleTask(add, () => JSON.parse('{"sum":"many"}'))]);
    const { id } = await jobs.client.enqueue(add, { a: 1, b: 1 });
    expect(await jobs.client.result(id)).toMatchObject({ state: 'FAILURE', result: null });
    expect(await deadLetter(jobs, 'add', id)).toMatchObject({ reason: 'not_retryable' });
  });

  test('that runs past its hard limit is given up, its signal aborted', async () => {
    const jobs = await openJobs();
    const reasons: unknown[] = [];
    jobs.worker([
      handleTask(add, async (_payload, { signal }) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason));
        await new Promise(() => undefined);
        return { sum: 0 };
      }),
    ]);
    const { id } = await jobs.client.enqueue(add, { a: 1, b: 1 }, { timeLimitMs: 100 });
    expect(await jobs.client.result(id)).toMatchObject({
      state: 'FAILURE',
      error: { type: 'TimeLimitExceeded' },
    });
    expect(await deadLetter(jobs, 'add', id)).toMatchObject({ reason: 'time_limit' });
    expect(reasons).toHaveLength(1);
  });

  test('may return a partial result at its soft time limit', async () => {
    const { client, worker } = await openJobs();
    worker([
      handleTask(add, async (_payload, { signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return {
          sum:
            signal.reason instanceof JobsError && signal.reason.code === 'soft_time_limit_exceeded' ? 1 : 0,
        };
      }),
    ]);
    const { id } = await client.enqueue(add, { a: 1, b: 1 }, { softTimeLimitMs: 100 });
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { sum: 1 } });
  });

  test('may ask to wait, which is no retry', async () => {
    const { client, worker } = await openJobs();
    const report = defineTask({
      name: 'report',
      queue: 'work',
      input: z.object({}),
      output: z.object({ looks: z.int(), retries: z.int() }),
      retry: { maxRetries: 0 },
    });
    let looks = 0;
    worker([
      handleTask(report, (_payload, context) => {
        if (++looks < 4) context.snooze(30);
        return { looks, retries: context.retries };
      }),
    ]);
    const { id } = await client.enqueue(report, {});
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { looks: 4, retries: 0 } });
  });

  test('that has succeeded is skipped when somebody enqueues its id again, however much later', async () => {
    const { client, worker, connection, topology } = await openJobs();
    let runs = 0;
    worker([
      handleTask(add, ({ a, b }) => {
        runs++;
        return { sum: a + b };
      }),
    ]);
    await client.enqueue(add, { a: 1, b: 2 }, { id: 'order-7' });
    await client.result('order-7');
    const events = connection.subscribe(topology.names.eventSubject('work', 'add', 'skipped'), { max: 1 });
    // A bare message, so that the broker's own window of de-duplication does not catch it.
    const subject = {
      queue: 'work',
      priority: 'normal',
      tenant: undefined,
      task: 'add',
      id: 'order-7',
    } as const;
    connection.publish(topology.names.taskSubject(subject), '{"a":5,"b":5}');
    for await (const event of events)
      expect(event.json()).toMatchObject({
        id: 'order-7',
        result: { status: 'skipped', reason: 'already_processed' },
      });
    expect(runs).toBe(1);
    expect(await client.status('order-7')).toMatchObject({ state: 'SUCCESS', result: { sum: 3 } });
  });
});
