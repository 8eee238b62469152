/** Tasks for later, tasks that are unique, and how long results stay. */
import { defineTask, handleTask, type TaskRecord } from '@stratum/jobs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { add, addHandler, openJobs } from './fixture.js';

const note = defineTask({
  name: 'note',
  queue: 'work',
  input: z.object({ text: z.string() }),
  output: z.object({ text: z.string() }),
});

describe('delayed tasks', () => {
  test('start no earlier than their time, though hundreds are due at once', async () => {
    const { client, worker } = await openJobs();
    const late: number[] = [];
    worker(
      [
        handleTask(note, ({ text }) => {
          late.push(Date.now() - Number(text));
          return { text };
        }),
      ],
      { concurrency: 64 },
    );
    const now = Date.now();
    const tasks = await client.enqueueMany(
      note,
      Array.from({ length: 400 }, (_, index) => {
        const eta = new Date(now + 1_000 + (index % 40) * 25);
        return { payload: { text: String(eta.getTime()) }, options: { eta } };
      }),
    );
    for (const { id } of tasks) await client.result(id);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(late).toHaveLength(tasks.length);
  });

  test('that wait in a worker take no slot from others', async () => {
    const { client, worker } = await openJobs();
    const { concurrency } = worker([addHandler], { concurrency: 2 });
    const soon = await client.enqueueMany(
      add,
      Array.from({ length: 10 * concurrency }, () => ({
        payload: { a: 1, b: 1 },
        options: { delayMs: 1_500 },
      })),
    );
    const { id } = await client.enqueue(add, { a: 2, b: 2 });
    await client.result(id);
    expect(['SCHEDULED', 'PENDING']).toContain((await client.status(soon[0]?.id ?? ''))?.state);
    for (const each of soon) expect(await client.result(each.id)).toMatchObject({ state: 'SUCCESS' });
  });
});

const WAITING = 4_000;

test('thousands of tasks that wait for their retry hold up nobody', async () => {
  const { client, worker } = await openJobs();
  const failing = defineTask({
    name: 'failing',
    queue: 'work',
    input: z.object({}),
    output: z.null(),
    retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 3_600_000 } },
  });
  worker(
    [
      addHandler,
      handleTask(failing, () => {
        throw new Error('try again in an hour');
      }),
    ],
    { concurrency: 32 },
  );
  await client.enqueueMany(
    failing,
    Array.from({ length: WAITING }, () => ({ payload: {} })),
  );
  await waitFor('all to wait', async () => (await client.queues())[0]?.delayed === WAITING);
  const { id } = await client.enqueue(add, { a: 1, b: 2 });
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  await waitFor('the others to wait on', async () => (await client.queues())[0]?.delayed === WAITING);
});

describe('a unique key', () => {
  const slow = { delayMs: 3_600_000, uniqueKey: 'acme/2026-11' };

  test('lets one task in at a time, in any lane, now or later', async () => {
    const { client, worker } = await openJobs();
    const first = await client.enqueue(note, { text: 'a' }, { ...slow, priority: 'high' });
    const second = await client.enqueue(note, { text: 'b' }, { uniqueKey: 'acme/2026-11', tenant: 9 });
    expect(second).toEqual({ id: first.id, duplicate: true });
    const other = await client.enqueue(note, { text: 'c' }, { uniqueKey: 'acme/2026-12' });
    expect(other.duplicate).toBe(false);
    await client.revoke(first.id);
    worker([handleTask(note, ({ text }) => ({ text }))]);
    const third = await client.enqueue(note, { text: 'd' }, { uniqueKey: 'acme/2026-11' });
    expect(third.duplicate).toBe(false);
    await client.result(third.id);
    await waitFor('the key to be free', async () => {
      const next = await client.enqueue(note, { text: 'e' }, { uniqueKey: 'acme/2026-11' });
      return !next.duplicate;
    });
  });

  test('admits one of many at the same time', async () => {
    const { client } = await openJobs();
    const tries = await Promise.all(
      Array.from({ length: 30 }, () => client.enqueue(note, { text: 'x' }, { uniqueKey: 'one' })),
    );
    expect(new Set(tries.map(({ id }) => id)).size).toBe(1);
    expect(tries.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect((await client.queues())[0]).toMatchObject({ normal: 1 });
  });

  test('is held through retries, and free once the task has failed for good', async () => {
    const { client, worker } = await openJobs();
    worker([
      handleTask(note, () => {
        throw new Error('no');
      }),
    ]);
    const first = await client.enqueue(note, { text: 'a' }, { uniqueKey: 'k', maxRetries: 1 });
    await waitFor('its retry', async () => (await client.status(first.id))?.state === 'RETRY');
    expect(await client.enqueue(note, { text: 'b' }, { uniqueKey: 'k' })).toEqual({
      id: first.id,
      duplicate: true,
    });
    await client.revoke(first.id);
    await client.result(first.id);
    expect((await client.enqueue(note, { text: 'b' }, { uniqueKey: 'k' })).duplicate).toBe(false);
  });

  test('may be held for a time instead, however soon the task ends', async () => {
    const { client, worker } = await openJobs();
    worker([handleTask(note, ({ text }) => ({ text }))]);
    const first = await client.enqueue(note, { text: 'a' }, { uniqueKey: 'k', uniqueForMs: 2_000 });
    await client.result(first.id);
    expect(await client.enqueue(note, { text: 'b' }, { uniqueKey: 'k', uniqueForMs: 2_000 })).toEqual({
      id: first.id,
      duplicate: true,
    });
    await waitFor('the time to be over', async () => {
      const next = await client.enqueue(note, { text: 'c' }, { uniqueKey: 'k', uniqueForMs: 2_000 });
      return !next.duplicate;
    });
    await expect(client.enqueue(note, { text: 'd' }, { uniqueKey: 'k2', uniqueForMs: -1 })).rejects.toThrow(
      /uniqueForMs/,
    );
  });
});

describe('results', () => {
  test('are kept for the contract’s retention', async () => {
    const { client, worker } = await openJobs();
    const brief = defineTask({ ...noteOptions('brief'), resultExpiresMs: 1_000 });
    worker([handleTask(brief, ({ text }) => ({ text })), addHandler]);
    const { id } = await client.enqueue(brief, { text: 'a' });
    const { id: kept } = await client.enqueue(add, { a: 1, b: 1 });
    await client.result(id);
    await client.result(kept);
    await waitFor('it to expire', async () => (await client.status(id)) === undefined);
    expect(await client.status(kept)).toBeDefined();
  });

  test('that nobody wants leave no record, failures do', async () => {
    const { client, worker, connection, topology } = await openJobs();
    const silent = defineTask({ ...noteOptions('silent'), ignoreResult: true, retry: { maxRetries: 0 } });
    worker([
      handleTask(silent, ({ text }) => {
        if (text === 'fail') throw new Error('no');
        return { text };
      }),
    ]);
    const events = connection.subscribe(topology.names.eventSubject('work', 'silent', 'success'), { max: 1 });
    const { id } = await client.enqueue(silent, { text: 'a' });
    for await (const event of events) expect(event.json()).toMatchObject({ id });
    await waitFor('its message to go', async () => (await client.status(id)) === undefined);
    const { id: failing } = await client.enqueue(silent, { text: 'fail' });
    expect(await client.result(failing)).toMatchObject({ state: 'FAILURE' });
  });

  test('and payloads that are too large are refused with advice', async () => {
    const { client, worker } = await openJobs({ maxPayloadBytes: 1_000, maxResultBytes: 2_048 });
    worker([handleTask(note, ({ text }) => ({ text: text.repeat(5) }))]);
    await expect(client.enqueue(note, { text: 'x'.repeat(1_000) })).rejects.toThrow(
      /limit of 1000 bytes. Pass ids/,
    );
    const { id } = await client.enqueue(note, { text: 'x'.repeat(500) });
    expect(await client.result(id)).toMatchObject({
      state: 'FAILURE',
      error: { message: expect.stringContaining('return its id') },
    });
  });

  test('can be watched as they come about', async () => {
    const { client, worker } = await openJobs();
    let go: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => (go = resolve));
    worker([
      handleTask(note, async ({ text }, context) => {
        await ready;
        context.progress(1, 2, 'half');
        await waitFor('the watcher', () => seen.some(({ progress }) => progress?.note === 'half'));
        return { text };
      }),
    ]);
    const { id } = await client.enqueue(note, { text: 'a' });
    const seen: TaskRecord[] = [];
    for await (const record of client.watch(id)) {
      seen.push(record);
      go();
    }
    expect(seen.at(-1)).toMatchObject({ state: 'SUCCESS', result: { text: 'a' } });
  });
});

function noteOptions(name: string): {
  name: string;
  queue: string;
  input: typeof note.input;
  output: typeof note.output;
} {
  return { name, queue: 'work', input: note.input, output: note.output };
}
