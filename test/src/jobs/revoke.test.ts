/** Revoked tasks. */
import { jetstream } from '@nats-io/jetstream';
import { headers as newHeaders } from '@nats-io/transport-node';
import { defineTask, handleTask, TaskRevokedError } from '@stratum/jobs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { add, addHandler, openJobs, queueIsEmpty, type Jobs } from './fixture.js';

const endless = defineTask({
  name: 'endless',
  queue: 'work',
  input: z.object({ tenant_id: z.int().optional() }),
  output: z.object({ ended: z.string() }),
});
const untilAborted = handleTask(
  endless,
  (_payload, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
);
const deaf = handleTask(endless, () => new Promise<never>(() => undefined));

async function started({ client }: Jobs, id: string): Promise<void> {
  await waitFor('the task to start', async () => (await client.status(id))?.state === 'STARTED');
}

test('a revocation lasts as long as its note, in workers that have read it, too', async () => {
  const { client, connection, topology, worker } = await openJobs();
  const { names } = topology;
  const broker = jetstream(connection);
  worker([addHandler]);
  const note = newHeaders();
  note.set('Nats-TTL', '2s');
  const key = names.controlKey('revoke.all.test');
  await broker.publish(key, JSON.stringify({ task: add.name, terminate: false }), { headers: note });
  const enqueue = async (id: string): Promise<void> => {
    const headers = newHeaders();
    headers.set('Task-Enqueued-At', new Date(Date.now() - 60_000).toISOString());
    const where = { queue: add.queue, priority: 'normal', tenant: undefined, task: add.name } as const;
    await broker.publish(names.taskSubject({ ...where, id }), '{"a":1,"b":2}', { headers });
  };
  await enqueue('during');
  expect(await client.result('during')).toMatchObject({ state: 'REVOKED' });
  const bucket = await broker.streams.get(names.controlStream);
  await waitFor('the note to be gone', async () => (await bucket.getMessage({ last_by_subj: key })) === null);
  await enqueue('after');
  expect(await client.result('after')).toMatchObject({ state: 'SUCCESS' });
});

describe('one task', () => {
  test('that waits is removed, and its record is REVOKED', async () => {
    const jobs = await openJobs();
    const { client } = jobs;
    const { id } = await client.enqueue(add, { a: 1, b: 1 });
    const { id: later } = await client.enqueue(add, { a: 1, b: 1 }, { delayMs: 3_600_000 });
    expect(await client.revoke(id)).toBe('revoked');
    expect(await client.revoke(later)).toBe('revoked');
    await queueIsEmpty(jobs.client);
    for (const each of [id, later]) expect(await client.result(each)).toMatchObject({ state: 'REVOKED' });
    expect(await client.revoke(id)).toBe('ended');
    expect(await client.revoke('never-seen')).toBe('unknown');
  });

  test('that runs has its signal aborted, and ends as revoked', async () => {
    const jobs = await openJobs();
    const { client, worker } = jobs;
    worker([untilAborted]);
    const { id } = await client.enqueue(endless, {});
    await started(jobs, id);
    expect(await client.revoke(id)).toBe('signalled');
    expect(await client.result(id)).toMatchObject({ state: 'REVOKED' });
    await queueIsEmpty(jobs.client);
    expect(await client.deadLetters.list()).toEqual([]);
  });

  test('that runs may still return a partial result', async () => {
    const jobs = await openJobs();
    const { client, worker } = jobs;
    worker([
      handleTask(
        endless,
        (_payload, { signal }) =>
          new Promise((resolve) =>
            signal.addEventListener('abort', () =>
              resolve({ ended: signal.reason instanceof TaskRevokedError ? 'revoked' : 'otherwise' }),
            ),
          ),
      ),
    ]);
    const { id } = await client.enqueue(endless, {});
    await started(jobs, id);
    await client.revoke(id);
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { ended: 'revoked' } });
  });

  test('that ignores its signal is ended by terminate', async () => {
    const jobs = await openJobs();
    const { client, worker } = jobs;
    worker([deaf], { shutdownGraceMs: 0 });
    const { id } = await client.enqueue(endless, {});
    await started(jobs, id);
    await client.revoke(id, { terminate: true });
    expect(await client.result(id)).toMatchObject({ state: 'REVOKED' });
  });

  test('stays revoked when its worker is lost and another one gets it', async () => {
    const jobs = await openJobs({ ackWaitMs: 800 });
    const { client, connection, topology } = jobs;
    const { names } = topology;
    const { id } = await client.enqueue(add, { a: 1, b: 1 });
    // A worker that takes the task and is never heard of again.
    const inbox = connection.subscribe('lost-worker', { max: 1 });
    connection.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${names.queueStream('work')}.${names.laneConsumer('work', 'normal')}`,
      JSON.stringify({ batch: 1 }),
      { reply: 'lost-worker' },
    );
    for await (const message of inbox) expect(message.subject).toContain(id);
    expect(await client.revoke(id)).toBe('signalled');
    let ran = false;
    jobs.worker([
      handleTask(add, ({ a, b }) => {
        ran = true;
        return { sum: a + b };
      }),
    ]);
    expect(await client.result(id)).toMatchObject({ state: 'REVOKED' });
    expect(ran).toBe(false);
  });

  test('can be enqueued again under its id', async () => {
    const { client, worker, connection, topology } = await openJobs();
    await client.enqueue(add, { a: 1, b: 1 }, { id: 'again' });
    await client.revoke('again');
    // Beyond the allowance for clocks that differ.
    await waitFor('the clock', async () => {
      const finishedAt = (await client.status('again'))?.finished_at ?? null;
      return finishedAt !== null && Date.now() - Date.parse(finishedAt) > 1_100;
    });
    worker([addHandler]);
    // A bare message, so that the broker's own window of de-duplication does not catch it.
    const subject = {
      queue: 'work',
      priority: 'normal',
      tenant: undefined,
      task: 'add',
      id: 'again',
    } as const;
    connection.publish(topology.names.taskSubject(subject), '{"a":1,"b":1}');
    const record = await waitFor('its second life', async () => {
      const found = await client.status('again');
      return found?.state === 'SUCCESS' && found;
    });
    expect(record.result).toEqual({ sum: 2 });
  });
});

describe('many tasks', () => {
  test('of a tenant are revoked wherever they are, and nobody else’s', async () => {
    const jobs = await openJobs();
    const { client, worker } = jobs;
    let told = false;
    const holding = handleTask(endless, (_payload, { signal }) => {
      signal.addEventListener('abort', () => (told = true));
      return new Promise<never>(() => undefined);
    });
    worker([holding], { concurrency: 1, shutdownGraceMs: 0 });
    const { id: running } = await client.enqueue(endless, { tenant_id: 7 });
    await started(jobs, running);
    const enqueue = (tenant: number, delayMs = 0): Promise<{ id: string }[]> =>
      client.enqueueMany(
        add,
        Array.from({ length: 300 }, () => ({
          payload: { a: 1, b: 1, tenant_id: tenant },
          options: { delayMs },
        })),
      );
    const mine = [...(await enqueue(7)), ...(await enqueue(7, 3_600_000))];
    const others = await enqueue(8);
    expect(await client.revokeAll({ tenant: '7' })).toBe(600);
    await waitFor('the running task to be told', () => told);
    for (const { id } of mine) expect((await client.status(id))?.state).toBe('REVOKED');
    expect((await client.queues())[0]).toMatchObject({ normal: others.length, delayed: 0 });
  });

  test('of a kind, whose next attempt was just on its way', async () => {
    const { client, worker } = await openJobs();
    const restless = defineTask({
      name: 'restless',
      queue: 'work',
      input: z.object({}),
      output: z.null(),
      retry: { maxRetries: 1_000, backoff: { kind: 'fixed', delayMs: 1 } },
    });
    worker([
      handleTask(restless, () => {
        throw new Error('again');
      }),
    ]);
    const ids = await client.enqueueMany(
      restless,
      Array.from({ length: 20 }, () => ({ payload: {} })),
    );
    await waitFor('some retries', async () => ((await client.status(ids[0]?.id ?? ''))?.retries ?? 0) > 1);
    await client.revokeAll({ task: 'restless' });
    for (const { id } of ids) expect(await client.result(id)).toMatchObject({ state: 'REVOKED' });
  });

  test('never all of them by accident', async () => {
    const { client } = await openJobs();
    await expect(client.revokeAll({})).rejects.toThrow(/Name a queue, a task or a tenant/);
  });
});

test('a purged queue is empty, and running tasks continue', async () => {
  const jobs = await openJobs();
  const { client, worker } = jobs;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  worker(
    [
      handleTask(endless, async () => {
        await finished;
        return { ended: 'by itself' };
      }),
      addHandler,
    ],
    { concurrency: 1 },
  );
  const { id } = await client.enqueue(endless, {});
  await started(jobs, id);
  await client.enqueueMany(
    add,
    Array.from({ length: 50 }, () => ({ payload: { a: 1, b: 1 } })),
  );
  await client.enqueue(add, { a: 1, b: 1 }, { delayMs: 3_600_000 });
  expect(await client.purge('work')).toBe(51);
  finish();
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  await queueIsEmpty(jobs.client);
});
