/** Replaying dead letters: none is lost, none runs beside another that excludes it, and one conflict does not stop the others. */
import {
  createReaper,
  DEAD_REASONS,
  defineTask,
  handleTask,
  TaskError,
  type DeadLetter,
  type EnqueueOptions,
  type JobsClient,
} from '@stratum/jobs';
import { headers } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';

const brittle = defineTask({
  name: 'brittle',
  queue: 'work',
  input: z.object({ tenant_id: z.int().optional() }),
  output: z.object({ ok: z.boolean() }),
  retry: { maxRetries: 0 },
});

/** Tasks that have failed. The worker stops, so that replayed tasks stay in the queue until the next one starts. */
async function failAll(
  jobs: Jobs,
  options: readonly (EnqueueOptions & { tenant?: number })[],
): Promise<string[]> {
  const worker = jobs.worker([
    handleTask(brittle, () => {
      throw new TaskError('broken', { retryable: false });
    }),
  ]);
  const ids: string[] = [];
  for (const each of options) {
    const { id } = await jobs.client.enqueue(brittle, {}, each);
    expect(await jobs.client.result(id)).toMatchObject({ state: 'FAILURE' });
    ids.push(id);
  }
  await worker.stop();
  return ids;
}

function mend({ worker }: Jobs): void {
  worker([handleTask(brittle, () => ({ ok: true }))]);
}

async function replayAll(
  client: JobsClient,
  options: { expires?: Date | 'never'; limit?: number } = {},
): Promise<{ replayed: string[]; conflicts: Record<string, string> }> {
  const conflicts: Record<string, string> = {};
  const replayed: string[] = [];
  const onConflict = ({ id }: DeadLetter, error: Error): void => {
    conflicts[id] = 'code' in error ? String(error.code) : error.message;
  };
  for await (const { id } of client.deadLetters.replayMany({}, { ...options, onConflict })) replayed.push(id);
  return { replayed, conflicts };
}

const success = (client: JobsClient, id: string): Promise<unknown> =>
  waitFor('its success', async () => (await client.status(id))?.state === 'SUCCESS');

async function publishLetter(
  { connection, topology }: Jobs,
  id: string,
  body: string,
  fields: Record<string, string> = {},
): Promise<void> {
  const { names } = topology;
  const own = headers();
  const task = { queue: 'work', priority: 'normal', tenant: '1', task: 'brittle', id } as const;
  const all = { 'Dead-Reason': 'max_retries', 'Dead-Subject': names.taskSubject(task), ...fields };
  for (const [name, value] of Object.entries(all)) own.set(name, value);
  await jetstream(connection).publish(names.deadSubject('work', 'brittle', id), body, { headers: own });
}

describe('a letter whose expiry has passed', () => {
  test('is kept until somebody lifts or renews the expiry', async () => {
    const jobs = await openJobs();
    const { client } = jobs;
    for (const id of ['lifted', 'renewed'])
      await publishLetter(jobs, id, '{}', { 'Task-Expires': '2026-01-01T00:00:00Z' });
    for (const id of ['lifted', 'renewed'])
      await expect(client.deadLetters.replay(id)).rejects.toMatchObject({ code: 'dead_letter_expired' });
    await expect(client.deadLetters.replay('renewed', { expires: new Date(0) })).rejects.toMatchObject({
      code: 'dead_letter_expired',
    });
    await expect(
      client.deadLetters.replay('renewed', { expires: new Date(Number.NaN) }),
    ).rejects.toMatchObject({ code: 'invalid_options' });
    expect(await client.deadLetters.list()).toHaveLength(2);
    await client.deadLetters.replay('lifted', { expires: 'never' });
    await client.deadLetters.replay('renewed', { expires: new Date(Date.now() + 3_600_000) });
    expect(await client.deadLetters.list()).toEqual([]);
    mend(jobs);
    for (const id of ['lifted', 'renewed']) await success(client, id);
  });
});

describe('a letter whose payload was too large to keep', () => {
  test('is kept until somebody gives the payload', async () => {
    const jobs = await openJobs();
    const { client } = jobs;
    await publishLetter(jobs, 'cut', '{"omitted_bytes":1048576}');
    await expect(client.deadLetters.replay('cut')).rejects.toMatchObject({ code: 'payload_omitted' });
    expect(await replayAll(client)).toEqual({ replayed: [], conflicts: { cut: 'payload_omitted' } });
    const tooLarge = { text: 'x'.repeat(2_000_000) };
    await expect(client.deadLetters.replay('cut', { payload: tooLarge })).rejects.toMatchObject({
      code: 'payload_too_large',
    });
    await client.deadLetters.replay('cut', { payload: {} });
    mend(jobs);
    await success(client, 'cut');
  });
});

describe('a letter whose task has a unique key', () => {
  test.each([{}, { uniqueForMs: 3_600_000 }])(
    'is not replayed while another task holds it (%j)',
    async (period) => {
      const jobs = await openJobs();
      const { client } = jobs;
      const [id = ''] = await failAll(jobs, [{ uniqueKey: 'k' }]);
      // As if it had held the key for a period that is over.
      if ('uniqueForMs' in period) {
        await client.deadLetters.discard(id);
        const manager = await jetstreamManager(jobs.connection);
        const { lockStream, prefix } = jobs.topology.names;
        const lock = await manager.streams.getMessage(lockStream, {
          last_by_subj: `$KV.${lockStream.slice(3)}.>`,
        });
        const key = lock?.subject.slice(`$KV.${lockStream.slice(3)}.`.length) ?? prefix;
        await publishLetter(jobs, id, '{}', { 'Task-Unique-For': `${key} ${period.uniqueForMs}` });
      }
      const holder = await client.enqueue(brittle, {}, { uniqueKey: 'k', ...period });
      expect(holder.duplicate).toBe(false);
      await expect(client.deadLetters.replay(id)).rejects.toMatchObject({
        code: 'unique_key_held',
        details: { holder: holder.id },
      });
      expect(await replayAll(client)).toEqual({ replayed: [], conflicts: { [id]: 'unique_key_held' } });
      if ('uniqueForMs' in period) return;
      mend(jobs);
      await success(client, holder.id);
      await waitFor('the key', async () =>
        client.deadLetters.replay(id).then(
          () => true,
          () => false,
        ),
      );
      await success(client, id);
    },
  );

  test('takes the key again, so that neither a new task nor another letter runs beside it', async () => {
    const jobs = await openJobs();
    const { client } = jobs;
    const [first = '', second = ''] = await failAll(jobs, [{ uniqueKey: 'k' }, { uniqueKey: 'k' }]);
    const { replayed, conflicts } = await replayAll(client);
    expect(replayed).toHaveLength(1);
    expect([...replayed, ...Object.keys(conflicts)].toSorted()).toEqual([first, second].toSorted());
    expect(Object.values(conflicts)).toEqual(['unique_key_held']);
    expect(await client.enqueue(brittle, {}, { uniqueKey: 'k' })).toEqual({
      id: replayed[0],
      duplicate: true,
    });
    mend(jobs);
    await success(client, replayed[0] ?? '');
  });
});

describe('replaying many', () => {
  test('passes over those whose id is queued, delayed or unusable, and reports them', async () => {
    const jobs = await openJobs();
    const { client } = jobs;
    const [queued, delayed, ...free] = ['n0', 'n1', 'n2', 'n3', 'n4', 'n5'] as const;
    for (const id of [queued, delayed, ...free]) await publishLetter(jobs, id, '{}');
    await publishLetter(jobs, 'nowhere', '{}', { 'Dead-Subject': '' });
    await publishLetter(jobs, 'gone', '{}', { 'Dead-Subject': 'other.tasks.none.normal._.brittle.gone' });
    await client.enqueue(brittle, {}, { id: queued, tenant: '1' });
    await client.enqueue(brittle, {}, { id: delayed, tenant: '1', delayMs: 3_600_000 });
    const { replayed, conflicts } = await replayAll(client);
    expect(replayed).toEqual([...free, 'gone']);
    expect(conflicts).toEqual({
      [queued]: 'publish_conflict',
      [delayed]: 'publish_conflict',
      nowhere: 'invalid_options',
    });
    expect((await client.deadLetters.list()).map(({ id }) => id)).toEqual([queued, delayed, 'nowhere']);
  });

  test('stops at its limit, and what was not begun stays', async () => {
    const jobs = await openJobs();
    for (let n = 0; n < 30; n++) await publishLetter(jobs, `n${n}`, '{}');
    const { replayed } = await replayAll(jobs.client, { limit: 7 });
    expect(replayed).toEqual(Array.from({ length: 7 }, (_, n) => `n${n}`));
    expect(await jobs.client.deadLetters.list()).toHaveLength(23);
    const discarded: string[] = [];
    for await (const { id } of jobs.client.deadLetters.discardMany({ tenant: '1' })) discarded.push(id);
    expect(discarded).toHaveLength(23);
  });
});

test('a list takes few requests, a replay fewer than three a letter, and a discard fewer than two', async () => {
  const jobs = await openJobs();
  const { client, connection, topology } = jobs;
  const half = 150;
  await client.enqueueMany(
    brittle,
    Array.from({ length: 2 * half }, () => ({ payload: { tenant_id: 1 } })),
  );
  const worker = jobs.worker([
    handleTask(brittle, () => {
      throw new TaskError('broken', { retryable: false });
    }),
  ]);
  const manager = await jetstreamManager(connection);
  await waitFor('all letters', async () => {
    const { state } = await manager.streams.info(topology.names.deadStream);
    return state.messages === 2 * half;
  });
  await worker.stop();
  const reaper = createReaper({ connection, topology, searchEveryMs: 20 });
  reaper.start();
  await waitFor('the index', async () => {
    const { state } = await manager.streams.info(topology.names.deadIndexStream);
    return state.messages === 2 * half;
  });
  await reaper.stop();
  const requests = async (work: () => Promise<number>): Promise<{ done: number; sent: number }> => {
    const before = connection.stats().outMsgs;
    return { done: await work(), sent: connection.stats().outMsgs - before };
  };
  const all = async (letters: AsyncIterable<unknown>): Promise<number> => {
    let done = 0;
    for await (const _ of letters) done++;
    return done;
  };
  const { deadLetters } = client;
  const list = await requests(async () => (await deadLetters.list({ tenant: '1', limit: 2 * half })).length);
  const replay = await requests(() => all(deadLetters.replayMany({ tenant: '1' }, { limit: half })));
  const discard = await requests(() => all(deadLetters.discardMany({ tenant: '1' })));
  expect([list.done, replay.done, discard.done]).toEqual([2 * half, half, half]);
  expect(list.sent).toBeLessThan(10);
  expect(replay.sent).toBeLessThan(3 * half);
  expect(discard.sent).toBeLessThan(2 * half);
  // The index has lost them, too.
  expect((await manager.streams.info(topology.names.deadIndexStream)).state.messages).toBe(0);
});

describe('a list by tenant and reason', () => {
  /** Three tenants, all reasons, two letters of each; one task has two letters. */
  async function fill(jobs: Jobs): Promise<void> {
    for (let n = 0; n < 36; n++) {
      const tenant = String((n % 3) + 1);
      const id = `n${n}`;
      const subject = { queue: 'work', priority: 'normal', tenant, task: 'brittle', id } as const;
      await publishLetter(jobs, id, `{"n":${n}}`, {
        'Dead-Subject': jobs.topology.names.taskSubject(subject),
        'Dead-Reason': DEAD_REASONS[Math.floor(n / 3) % DEAD_REASONS.length] ?? '',
        'Dead-Error': `error ${n}`,
        'Dead-Attempts': n === 3 ? '1e999' : '4',
      });
    }
    await publishLetter(jobs, 'n0', '{"n":"again"}', { 'Dead-Reason': 'max_retries' });
  }

  const pagesOf = async ({ client }: Jobs, filter: { tenant?: string }): Promise<DeadLetter[]> => {
    const found: DeadLetter[] = [];
    for (let after = 0; ;) {
      const page = await client.deadLetters.list({ ...filter, after, limit: 5 });
      found.push(...page);
      after = page.at(-1)?.sequence ?? 0;
      if (page.length < 5) return found;
    }
  };

  test('is the same with and without an index, and reads only what it returns with one', async () => {
    const jobs = await openJobs();
    const { client, connection, topology } = jobs;
    await fill(jobs);
    const all = await client.deadLetters.list();
    const ownOf = (tenant: string): DeadLetter[] => all.filter((letter) => letter.tenant === tenant);
    expect(all).toHaveLength(37);
    expect(await pagesOf(jobs, { tenant: '1' })).toEqual(ownOf('1'));
    const reaper = createReaper({ connection, topology, searchEveryMs: 20 });
    reaper.start();
    const manager = await jetstreamManager(connection);
    await waitFor('the index', async () => {
      const { state } = await manager.streams.info(topology.names.deadIndexStream);
      return state.messages === all.length;
    });
    await reaper.stop();
    for (const tenant of ['1', '2', '3']) {
      expect(await pagesOf(jobs, { tenant })).toEqual(ownOf(tenant));
      expect(await client.deadLetters.list({ tenant, reason: 'worker_lost' })).toEqual(
        ownOf(tenant).filter(({ reason }) => reason === 'worker_lost'),
      );
    }
    expect(await client.deadLetters.list({ tenant: '2', task: 'other' })).toEqual([]);
    expect(await client.deadLetters.list({ tenant: 'a.*', queue: '>' })).toEqual([]);
    const own = ownOf('2').length;
    const before = connection.stats().inMsgs;
    expect(await client.deadLetters.list({ tenant: '2' })).toHaveLength(own);
    // Entries, letters and the ends of requests; not the letters of the others.
    expect(connection.stats().inMsgs - before).toBeLessThan(2 * own + 8);
    // Letters that the index does not have yet are found as well.
    await publishLetter(jobs, 'new', '{}');
    expect((await client.deadLetters.list({ tenant: '1' })).at(-1)).toMatchObject({ id: 'new' });
    const [replayed] = ownOf('3');
    await client.deadLetters.replay(replayed?.id ?? '');
    expect(await client.deadLetters.list({ tenant: '3' })).toHaveLength(ownOf('3').length - 1);
  });

  test('takes a range of time', async () => {
    const jobs = await openJobs();
    await publishLetter(jobs, 'early', '{}');
    await waitFor('the next millisecond', () => Date.now() % 2 === 0);
    const [early] = await jobs.client.deadLetters.list();
    const manager = await jetstreamManager(jobs.connection);
    const timeOf = async (id: string): Promise<Date> => {
      const message = await manager.streams.getMessage(jobs.topology.names.deadStream, {
        last_by_subj: jobs.topology.names.deadById(id),
      });
      return message?.time ?? new Date(0);
    };
    const at = await timeOf('early');
    await waitFor('a later time', () => Date.now() > at.getTime() + 5);
    await publishLetter(jobs, 'late', '{}');
    const until = await timeOf('late');
    expect(await jobs.client.deadLetters.list({ until })).toEqual([early]);
    for (const tenant of [{}, { tenant: '1' }])
      expect((await jobs.client.deadLetters.list({ since: until, ...tenant })).map(({ id }) => id)).toEqual([
        'late',
      ]);
  });
});

test('a letter that is nested 9,000 deep is listed, and replayed as it was', async () => {
  const jobs = await openJobs();
  const deep = `${'['.repeat(9_000)}${']'.repeat(9_000)}`;
  await publishLetter(jobs, 'deep', deep);
  expect(await jobs.client.deadLetters.list()).toMatchObject([{ id: 'deep', payload: deep }]);
  await jobs.client.deadLetters.replay('deep');
  expect(await jobs.client.status('deep')).toMatchObject({ state: 'PENDING' });
  onTestFinished(async () => void (await jobs.client.purge('work')));
});

describe('a producer that dies between its unique key and its task', () => {
  test.each([undefined, 3_600_000])('leaves the key to the next one (period: %s ms)', async (uniqueForMs) => {
    const { client, connection, topology } = await openJobs();
    const options = { uniqueKey: 'k', ...(uniqueForMs === undefined ? {} : { uniqueForMs }) };
    // The lock as the dead producer has left it: with its key, and the id of a task that is not there.
    const { id } = await client.enqueue(brittle, {}, options);
    await client.purge('work');
    const manager = await jetstreamManager(connection);
    const bucket = topology.names.lockStream.slice(3);
    const stored = await manager.streams.getMessage(topology.names.lockStream, {
      last_by_subj: `$KV.${bucket}.>`,
    });
    const lock = { ...z.record(z.string(), z.unknown()).parse(stored?.json()), id: 'dead', pending: true };
    await jetstream(connection).publish(stored?.subject ?? '', JSON.stringify(lock));
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.enqueue(brittle, {}, options)));
    expect(new Set(answers.map((answer) => answer.id))).toEqual(new Set(['dead']));
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await client.status('dead')).toMatchObject({ state: 'PENDING' });
    expect(id).not.toBe('dead');
    expect(await client.queues()).toMatchObject([{ normal: 1 }]);
  });
});

describe('a letter that somebody has looked at', () => {
  test('is replayed only while it is the newest of its task', async () => {
    const jobs = await openJobs();
    const { client } = jobs;
    for (const round of ['first', 'second']) await publishLetter(jobs, 'seen', `{"round":"${round}"}`);
    const [older, newer] = await client.deadLetters.list();
    const replay = (letter: DeadLetter | undefined): Promise<void> =>
      client.deadLetters.replay('seen', { ifSequence: letter?.sequence ?? 0 });
    await expect(replay(older)).rejects.toMatchObject({ code: 'dead_letter_changed' });
    expect(await client.deadLetters.list()).toHaveLength(2);
    await replay(newer);
    mend(jobs);
    await success(client, 'seen');
  });

  test('is not said to run with a new payload when another replay of it was faster', async () => {
    const jobs = await openJobs();
    const { client, connection, topology } = jobs;
    await publishLetter(jobs, 'raced', '{}');
    const [letter] = await client.deadLetters.list();
    await client.deadLetters.replay('raced');
    // As it stands while the other replay is between its publish and the removal of the letter.
    const { names } = topology;
    const manager = await jetstreamManager(connection);
    await publishLetter(jobs, 'raced', '{}');
    const [again] = await client.deadLetters.list();
    const own = headers();
    own.set('Task-Replay-Of', String(again?.sequence));
    const subject = names.taskSubject({
      queue: 'work',
      priority: 'normal',
      tenant: '1',
      task: 'brittle',
      id: 'raced',
    });
    await manager.streams.purge(names.queueStream('work'), { filter: subject });
    await jetstream(connection).publish(subject, '{}', { headers: own });
    expect(letter?.sequence).not.toBe(again?.sequence);
    await expect(client.deadLetters.replay('raced', { payload: { tenant_id: 1 } })).rejects.toMatchObject({
      code: 'dead_letter_changed',
    });
    await client.deadLetters.replay('raced');
    expect(await client.deadLetters.list()).toEqual([]);
  });
});
