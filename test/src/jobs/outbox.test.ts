/** Tasks that are enqueued in a transaction of PostgreSQL. */
import { jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { readBatch } from '@stratum/jobs/internal';
import { createOutbox, outboxTable, type OutboxTransaction } from '@stratum/jobs/outbox';
import { defineTask, defineTopology, handleTask, TaskError } from '@stratum/jobs';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Kysely, PostgresDialect } from 'kysely';
import type { Pool } from 'pg';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { inDrizzle, inKysely, inPrisma } from '../docs/examples/transactional-enqueue.js';
import { waitFor } from '../harness/index.js';
import { add, addHandler } from './fixture.js';
import { openOutbox, transaction, type OutboxJobs } from './outbox-fixture.js';

const note = defineTask({
  name: 'note',
  queue: 'work',
  input: z.object({ key: z.string(), tag: z.string() }),
  output: z.null(),
});

/** A handler that notes each run. */
function counting(): { handler: ReturnType<typeof handleTask>; runs: string[] } {
  const runs: string[] = [];
  return { runs, handler: handleTask(note, ({ tag }) => (runs.push(tag), null)) };
}

type Work = (transaction: OutboxTransaction) => Promise<unknown>;

/** How each client runs the work in a transaction of its own. */
const CLIENTS: Record<string, (pool: Pool, work: Work) => Promise<unknown>> = {
  pg: (pool, work) => transaction(pool, work),
  Kysely: (pool, work) =>
    new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
      .transaction()
      .execute((trx) => work(inKysely(trx))),
  Drizzle: (pool, work) => drizzle(pool).transaction((tx) => work(inDrizzle(tx))),
  'a client with the method of Prisma': (pool, work) =>
    transaction(pool, (client) =>
      work(
        inPrisma({
          $executeRawUnsafe: async (text, ...values) => (await client.query(text, values)).rowCount ?? 0,
        }),
      ),
    ),
};

describe.each(Object.keys(CLIENTS))('in a transaction of %s', (name) => {
  test('a task is published after the commit, and never after a rollback', async () => {
    const { outbox, database, client, worker, relay, rows } = await openOutbox();
    worker([addHandler]);
    relay();
    const ids: string[] = [];
    const work = async (tx: OutboxTransaction): Promise<void> => {
      ids.push((await outbox.enqueue(tx, add, { a: ids.length, b: 1 })).id);
    };
    const refused = new Error('the rest of the transaction failed');
    const begin = CLIENTS[name];
    await expect(
      begin?.(database, async (tx) => {
        await work(tx);
        throw refused;
      }),
    ).rejects.toBe(refused);
    await begin?.(database, work);
    const [undone = '', done = ''] = ids;
    expect(await client.result(done)).toMatchObject({ state: 'SUCCESS', result: { sum: 2 } });
    expect(await client.status(undone)).toBeUndefined();
    expect(await rows()).toBe(1);
  });
});

test('a relay is woken by the notification, also on a new session after its own was ended', async () => {
  const { outbox, transaction: within, database, client, worker, relay } = await openOutbox();
  worker([addHandler]);
  relay({ pollMs: 600_000 });
  const first = await within((tx) => outbox.enqueue(tx, add, { a: 1, b: 1 }));
  await client.result(first.id);
  const { rows } = await database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'listen%'`,
  );
  expect(rows).toHaveLength(1);
  const second = await within((tx) => outbox.enqueue(tx, add, { a: 1, b: 2 }));
  expect(await client.result(second.id)).toMatchObject({ result: { sum: 3 } });
});

test('a relay leaves one listener on a session, however often the pool lends it', async () => {
  const { database, transaction: within, outbox, client, worker, relay } = await openOutbox();
  worker([addHandler]);
  const running = relay({ listen: false, pollMs: 10 });
  for (let n = 0; n < 20; n++) await running.depth();
  const { id } = await within((tx) => outbox.enqueue(tx, add, { a: 1, b: 1 }));
  await client.result(id);
  await running.stop();
  const session = await database.connect();
  expect(session.listenerCount('error')).toBeLessThanOrEqual(2);
  session.release();
});

test('a relay that does not listen polls', async () => {
  const { outbox, transaction: within, client, worker, relay } = await openOutbox();
  worker([addHandler]);
  relay({ listen: false, pollMs: 20 });
  const { id } = await within((tx) => outbox.enqueue(tx, add, { a: 1, b: 1 }));
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
});

/** The payloads of a queue's messages, in the order of the stream. */
async function published({ connection, topology }: OutboxJobs): Promise<z.output<typeof note.input>[]> {
  const payloads: z.output<typeof note.input>[] = [];
  const stream = topology.names.queueStream('work');
  for (let seq = 1; ;) {
    const messages = await readBatch(connection, stream, {
      seq,
      next_by_subj: '>',
      batch: 500,
      max_bytes: 2 ** 20,
    });
    for (const message of messages) payloads.push(note.input.parse(message.json()));
    const last = messages.at(-1);
    if (last === undefined) return payloads;
    seq = last.seq + 1;
  }
}

test('three relays publish the tasks of one key in the order of the commits, and every task once', async () => {
  const jobs = await openOutbox();
  const { outbox, transaction: within, database, relay } = jobs;
  await database.query(`create table turns (key text primary key, n int not null default 0)`);
  const keys = ['a', 'b', 'c', 'd'];
  await database.query('insert into turns select unnest($1::text[])', [keys]);
  for (let n = 0; n < 3; n++) relay({ batchSize: 7, pollMs: 20 });
  const turns = new Map<string, number>();
  const COUNT = 160;
  await Promise.all(
    Array.from({ length: COUNT }, (_, n) => {
      const key = keys[n % keys.length] ?? '';
      const tag = `${key}-${n}`;
      return within(async (tx) => {
        await outbox.enqueue(tx, note, { key, tag }, { orderKey: key });
        // The row is locked until the commit: its number is the place of this commit.
        const { rows } = await tx.query<{ n: number }>(
          'update turns set n = n + 1 where key = $1 returning n',
          [key],
        );
        turns.set(tag, rows[0]?.n ?? 0);
      });
    }),
  );
  await waitFor('every task to be in the queue', async () => (await published(jobs)).length >= COUNT);
  const payloads = await published(jobs);
  for (const key of keys) {
    const places = payloads.filter((each) => each.key === key).map(({ tag }) => turns.get(tag));
    expect(places).toEqual(Array.from({ length: COUNT / keys.length }, (_, n) => n + 1));
  }
});

test('a task is published once though relays die between publish and commit', async () => {
  const { outbox, transaction: within, database, client, worker, relay, rows } = await openOutbox();
  let deaths = 0;
  relay({
    listen: false,
    pollMs: 20,
    database: {
      connect: async () => {
        const session = await database.connect();
        return {
          query: async (text, values) => {
            if (text !== 'commit' || deaths >= 3) return session.query(text, values);
            deaths++;
            throw new Error('the relay dies before its commit');
          },
          on: (_event: 'notification' | 'error', listener: (error: Error) => void) =>
            session.on('error', listener),
          release: (destroy) => session.release(destroy),
        };
      },
    },
  });
  const { handler, runs } = counting();
  worker([handler]);
  const { id } = await within((tx) => outbox.enqueue(tx, note, { key: 'k', tag: 'one' }));
  await client.result(id);
  await waitFor('three deaths', () => deaths === 3);
  const { id: next } = await within((tx) => outbox.enqueue(tx, note, { key: 'k', tag: 'two' }));
  await client.result(next);
  expect(runs).toEqual(['one', 'two']);
  expect(await rows()).toBe(2);
});

/** The broker forgets which ids it has stored. */
async function forgetIds({ connection, topology }: OutboxJobs): Promise<void> {
  const windowMs = 100;
  const manager = await jetstreamManager(connection);
  await manager.streams.update(topology.names.queueStream('work'), { duplicate_window: nanos(windowMs) });
  const since = performance.now();
  await waitFor('the window to be over', () => performance.now() - since > 3 * windowMs);
}

test('a task that waits for its retry is not published again by a relay that finds its row', async () => {
  const jobs = await openOutbox();
  const { outbox, transaction: within, database, client, worker, relay } = jobs;
  const failing = defineTask({
    name: 'failing',
    queue: 'work',
    input: z.object({}),
    output: z.null(),
    retry: { maxRetries: 3, backoff: { kind: 'fixed', delayMs: 600_000 } },
  });
  let runs = 0;
  worker([
    handleTask(failing, () => {
      runs++;
      throw new TaskError('not yet');
    }),
  ]);
  const { id } = await within((tx) => outbox.enqueue(tx, failing, {}));
  const first = relay({ pollMs: 20 });
  await waitFor('the first attempt', async () => (await client.status(id))?.state === 'RETRY');
  await forgetIds(jobs);
  await first.stop();
  // As a relay leaves it that has died before its commit, long enough ago that the broker has forgotten the message's id.
  await database.query(
    `update stratum_outbox set published_at = null, created_at = now() - interval '10 minutes'`,
  );
  const second = relay({ pollMs: 20 });
  await waitFor('the row to be dealt with', async () => (await second.depth()).waiting === 0);
  expect(runs).toBe(1);
  expect(await client.status(id)).toMatchObject({ state: 'RETRY', retries: 1 });
});

test('a row that no broker takes is set aside with its reason, and the others go on', async () => {
  const { outbox, topology, transaction: within, database, client, worker, relay } = await openOutbox();
  worker([addHandler]);
  const wider = defineTopology({
    prefix: topology.names.prefix,
    queues: [{ name: 'work' }, { name: 'elsewhere' }],
  });
  const stray = defineTask({ name: 'stray', queue: 'elsewhere', input: z.object({}), output: z.null() });
  const id = await within(async (tx) => {
    await createOutbox({ topology: wider }).enqueue(tx, stray, {}, { orderKey: 'k' });
    return (await outbox.enqueue(tx, add, { a: 1, b: 1 }, { orderKey: 'k' })).id;
  });
  const running = relay();
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  await waitFor('both rows to be dealt with', async () => (await running.depth()).waiting === 0);
  expect(await running.depth()).toEqual({ waiting: 0, oldestMs: 0, setAside: 1 });
  const { rows } = await database.query<{ error: string }>(
    'select error from stratum_outbox where failed_at is not null',
  );
  expect(rows[0]?.error).toContain('elsewhere');
});

test('what cannot be enqueued is refused in the transaction, and leaves no row', async () => {
  const { outbox, topology, transaction: within, rows } = await openOutbox();
  const refusals: [string, (tx: OutboxTransaction) => Promise<unknown>][] = [
    // @ts-expect-error -- a field of another type
    ['invalid_payload', (tx) => outbox.enqueue(tx, add, { a: 'one', b: 1 })],
    ['invalid_options', (tx) => outbox.enqueue(tx, add, { a: 1, b: 1 }, { delayMs: -1 })],
    ['invalid_options', (tx) => outbox.enqueue(tx, add, { a: 1, b: 1 }, { orderKey: '' })],
    ['invalid_options', (tx) => outbox.enqueue(tx, add, { a: 1, b: 1 }, { id: 'a.b' })],
    [
      'payload_too_large',
      (tx) => outbox.enqueue(tx, note, { key: '', tag: 'x'.repeat(topology.maxPayloadBytes) }),
    ],
    [
      'invalid_payload',
      (tx) => outbox.enqueueMany(tx, add, [{ payload: { a: 1, b: 1 } }, { payload: { a: 1, b: NaN } }]),
    ],
  ];
  for (const [code, enqueue] of refusals) await expect(within(enqueue)).rejects.toMatchObject({ code });
  expect(await rows()).toBe(0);
  expect(() => outboxTable('outbox; drop table users')).toThrow('table must be');
});

test('options reach the broker: tenant, lane, delay, expiry, unique key, order of many', async () => {
  const { outbox, transaction: within, client, worker, relay, rows } = await openOutbox();
  const running = relay({ reconcileMs: 20 });
  const eta = new Date(Date.now() + 3_600_000);
  const expires = new Date(Date.now() + 7_200_000);
  const [later, holder, second] = await within(async (tx) => [
    await outbox.enqueue(tx, add, { a: 1, b: 1 }, { eta, expires, tenant: 7, priority: 'high', id: 'later' }),
    await outbox.enqueue(tx, add, { a: 2, b: 1 }, { uniqueKey: 'sums', orderKey: 'k' }),
    await outbox.enqueue(tx, add, { a: 3, b: 1 }, { uniqueKey: 'sums', orderKey: 'k' }),
  ]);
  await waitFor('all to be relayed', async () => (await running.depth()).waiting === 0);
  expect(await client.status('later')).toMatchObject({ state: 'SCHEDULED', tenant: '7', priority: 'high' });
  expect(later?.id).toBe('later');
  expect(await client.status(second?.id ?? '')).toBeUndefined();
  worker([addHandler]);
  expect(await client.result(holder?.id ?? '')).toMatchObject({ result: { sum: 3 } });
  await waitFor('the rows of all but the delayed task to be removed', async () => (await rows()) === 1);
});
