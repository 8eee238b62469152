/** Debouncing against a real broker: of tasks that come in quick succession the last one runs. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  createClient,
  defineTask,
  handleTask,
  type DebounceOptions,
  type EnqueueOptions,
  type TaskHandler,
} from '@stratum/jobs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';

const note = defineTask({
  name: 'note',
  queue: 'work',
  input: z.object({ n: z.int(), tenant_id: z.int().optional() }),
  output: z.object({ n: z.int() }),
});
/** Longer than a busy machine needs from one call to the next. */
const QUIET = { key: 'k', quietMs: 2_000 };

function recording(): { handler: TaskHandler; runs: { n: number; at: number }[] } {
  const runs: { n: number; at: number }[] = [];
  const handler = handleTask(note, ({ n }) => {
    runs.push({ n, at: performance.now() });
    return { n };
  });
  return { handler, runs };
}

const enqueue = ({ client }: Jobs, n: number, debounce: DebounceOptions = QUIET) =>
  client.enqueue(note, { n }, { debounce });

describe('of tasks of one key', () => {
  test('that come in quick succession the last one runs, once, when it has been quiet', async () => {
    const jobs = await openJobs();
    const { handler, runs } = recording();
    jobs.worker([handler]);
    const first = await enqueue(jobs, 1);
    expect(first.duplicate).toBe(false);
    for (let n = 2; n <= 5; n++) expect(await enqueue(jobs, n)).toEqual({ id: first.id, duplicate: true });
    const lastAt = performance.now();
    expect(await jobs.client.result(first.id)).toMatchObject({ state: 'SUCCESS', result: { n: 5 } });
    expect(runs.map(({ n }) => n)).toEqual([5]);
    // The broker's clock and this one count alike; a tenth is for the way between.
    expect((runs[0]?.at ?? 0) - lastAt).toBeGreaterThan(QUIET.quietMs * 0.9);
    const next = await enqueue(jobs, 6);
    expect(next).toMatchObject({ duplicate: false });
    expect(next.id).not.toBe(first.id);
    expect(await jobs.client.result(next.id)).toMatchObject({ result: { n: 6 } });
  });

  test('that never stop coming one runs after the longest wait, and the others go on', async () => {
    const jobs = await openJobs();
    const { handler, runs } = recording();
    jobs.worker([handler]);
    const ids = new Set<string>();
    const beganAt = performance.now();
    let n = 0;
    while (runs.length < 2) {
      ids.add((await enqueue(jobs, ++n, { ...QUIET, quietMs: 2_000, maxMs: 2_500 })).id);
      // The distance of calls, not a wait for something.
      await delay(100);
    }
    expect((runs[0]?.at ?? 0) - beganAt).toBeGreaterThan(2_000);
    expect(ids.size).toBeGreaterThanOrEqual(2);
    const [first, second] = runs;
    expect(second?.n).toBeGreaterThan(first?.n ?? 0);
  });

  test.each([1, 3])(
    'that come at the same moment from two programs one runs (shards: %d)',
    async (shards) => {
      const jobs = await openJobs({ queues: [{ name: 'work', shards }] });
      const { connection, topology } = jobs;
      const other = createClient({ connection, topology });
      onTestFinished(() => other.close());
      const { handler, runs } = recording();
      jobs.worker([handler]);
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, n) => [
          enqueue(jobs, n),
          other.enqueue(note, { n: n + 10 }, { debounce: QUIET }),
        ]).flat(),
      );
      const ids = new Set(answers.map(({ id }) => id));
      expect(ids.size).toBe(1);
      expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      const [id = ''] = ids;
      expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS' });
      expect(runs).toHaveLength(1);
    },
  );

  test('whose first one is still on its way to the broker it is waited for', async () => {
    const jobs = await openJobs();
    const { client, connection, topology } = jobs;
    const long = { ...QUIET, quietMs: 60_000 };
    const { id } = await enqueue(jobs, 1, long);
    const { names } = topology;
    const manager = await jetstreamManager(connection);
    const stream = names.queueStream('work');
    const query = { last_by_subj: names.delayedSubject('work', id) };
    const first = await manager.streams.getMessage(stream, query);
    if (first === null) throw new Error('The first one is not stored.');
    // As another program sees it that asks between the two writes of the first call.
    await manager.streams.deleteMessage(stream, first.seq);
    const sent = connection.stats().outMsgs;
    const second = enqueue(jobs, 2, long);
    await waitFor('it to have looked for the task', () => connection.stats().outMsgs - sent >= 3);
    const headers = first.header;
    headers.set('Nats-Msg-Id', 'late');
    await jetstream(connection).publish(first.subject, first.data, { headers });
    expect(await second).toEqual({ id, duplicate: true });
    expect(await client.maskedPayload(id)).toEqual({ n: 2 });
  });

  test('a revoked one is followed by another', async () => {
    const jobs = await openJobs();
    const { handler, runs } = recording();
    jobs.worker([handler]);
    const { id } = await enqueue(jobs, 1);
    await jobs.client.revoke(id);
    const next = await enqueue(jobs, 2);
    expect(next.id).not.toBe(id);
    expect(await jobs.client.result(next.id)).toMatchObject({ result: { n: 2 } });
    expect(await jobs.client.result(id)).toMatchObject({ state: 'REVOKED' });
    expect(runs.map(({ n }) => n)).toEqual([2]);
  });
});

test('tasks of other keys and of other tenants do not replace each other', async () => {
  const jobs = await openJobs();
  const ids = await Promise.all([
    jobs.client.enqueue(note, { n: 1, tenant_id: 1 }, { debounce: QUIET }),
    jobs.client.enqueue(note, { n: 2, tenant_id: 2 }, { debounce: QUIET }),
    jobs.client.enqueue(note, { n: 3, tenant_id: 1 }, { debounce: { ...QUIET, key: 'other' } }),
    jobs.client.enqueue(note, { n: 4 }, { debounce: QUIET }),
  ]);
  expect(new Set(ids.map(({ id }) => id)).size).toBe(4);
});

test.each([
  [{ key: '', quietMs: 1_000 }, {}, 'debounce.key'],
  [{ key: 'x'.repeat(1_001), quietMs: 1_000 }, {}, 'debounce.key'],
  [{ key: 'k', quietMs: 999 }, {}, 'debounce.quietMs'],
  [{ key: 'k', quietMs: Number.NaN }, {}, 'debounce.quietMs'],
  [{ key: 'k', quietMs: Infinity }, {}, 'debounce.quietMs'],
  [{ key: 'k', quietMs: 5_000, maxMs: 4_999 }, {}, 'debounce.maxMs'],
  [QUIET, { id: 'mine' }, 'id'],
  [QUIET, { uniqueKey: 'k' }, 'uniqueKey'],
  [QUIET, { unique: true }, 'unique'],
  [QUIET, { delayMs: 5_000 }, 'delayMs'],
  [QUIET, { eta: new Date() }, 'eta'],
])('%j with %j is refused by %s', async (debounce, options, field) => {
  const jobs = await openJobs();
  await expect(jobs.client.enqueue(note, { n: 1 }, { ...options, debounce })).rejects.toMatchObject({
    code: 'invalid_options',
    details: { field },
  });
});

describe('a contract debounces', () => {
  const debounced = defineTask({
    name: 'debounced',
    queue: 'work',
    input: z.object({ account: z.string().optional(), n: z.int() }),
    output: z.object({ n: z.int() }),
    debounce: { key: 'payload.account', quietMs: 1_000 },
  });
  const handler = handleTask(debounced, ({ n }) => ({ n }));

  test('what is enqueued, one by one and in batches, by the key of its payload', async () => {
    const { client, worker } = await openJobs();
    worker([handler]);
    const first = await client.enqueue(debounced, { account: 'a', n: 1 });
    const [second, other] = await client.enqueueMany(debounced, [
      { payload: { account: 'a', n: 2 } },
      { payload: { account: 'b', n: 3 } },
    ]);
    expect(second).toEqual({ id: first.id, duplicate: true });
    expect(other).toMatchObject({ duplicate: false });
    expect(await client.call(debounced, { account: 'a', n: 4 })).toEqual({ n: 4 });
    expect(await client.result(first.id)).toMatchObject({ result: { n: 4 } });
    expect(await client.result(other?.id ?? '')).toMatchObject({ result: { n: 3 } });
  });

  test.each<[string, EnqueueOptions, string | undefined]>([
    ['an id', { id: 'mine' }, 'a'],
    ['a unique key', { uniqueKey: 'u' }, 'a'],
    ['a time', { delayMs: 1 }, 'a'],
    ['no key', {}, undefined],
  ])('nothing that has %s', async (_title, options, account) => {
    const { client, worker } = await openJobs();
    worker([handler]);
    await client.enqueue(debounced, { account: 'a', n: 1 });
    const { id, duplicate } = await client.enqueue(
      debounced,
      { n: 2, ...(account === undefined ? {} : { account }) },
      options,
    );
    expect(duplicate).toBe(false);
    expect(await client.result(id)).toMatchObject({ result: { n: 2 } });
  });

  test.each<[object, RegExp]>([
    [{ key: 'payload.account', quietMs: 10 }, /debounce\.quietMs .* from 1,000/],
    [{ key: 'payload.account', quietMs: 2_000, maxMs: 1_000 }, /debounce\.maxMs .* from 2,000/],
    [{ key: 'payload.api_token', quietMs: 2_000 }, /sensitive/],
  ])('and refuses what cannot work: %o', (debounce, problem) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what plain JavaScript can pass
    const options = { name: 't', queue: 'work', input: z.object({}), output: z.null(), debounce } as never;
    expect(() => defineTask(options)).toThrow(problem);
  });
});
