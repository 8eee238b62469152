/** Stored messages that no worker takes, or takes too late: each becomes visible, and ends. */
import { createReaper } from '@stratum/jobs';
import { JobsMetrics } from '@stratum/jobs/metrics';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { add, addHandler, openJobs, openOwnJobs, type Jobs } from './fixture.js';

const SUM = JSON.stringify({ a: 1, b: 2 });
const HOUR_MS = 3_600_000;

function openReaper(
  { connection, topology }: Pick<Jobs, 'connection' | 'topology'>,
  registry = new Registry(),
): void {
  const reaper = createReaper({
    connection,
    topology,
    searchEveryMs: 50,
    metrics: new JobsMetrics(registry),
  });
  reaper.start();
  onTestFinished(() => reaper.stop());
}

function headersOf(fields: Record<string, string>): MsgHdrs {
  const made = headers();
  for (const [name, value] of Object.entries(fields)) made.set(name, value);
  return made;
}

async function storedMessages({ connection, topology }: Jobs): Promise<number> {
  const manager = await jetstreamManager(connection);
  return (await manager.streams.info(topology.names.queueStream('work'))).state.messages;
}

/** What follows `<prefix>.tasks.work.` in a subject that no lane takes. */
const STRAYS = [
  'urgent.1.add.a',
  'HIGH.1.add.b',
  '1.add.c',
  'normal',
  'x',
  'urgent.1.add.order.17',
  'größe.1.add.d',
];
/** The same for subjects that a lane takes, and that are no task's. */
const MISSHAPEN = ['normal.add.e', 'normal.1.add.f.g', 'low.a:b.add.h', 'high.1.größe.i', 'high.1'];

async function publishAll(jobs: Jobs, ends: readonly string[]): Promise<string[]> {
  const subjects = ends.map((end) => `${jobs.topology.names.prefix}.tasks.work.${end}`);
  for (const subject of subjects) await jetstream(jobs.connection).publish(subject, SUM);
  return subjects;
}

describe('a message whose subject is no task’s', () => {
  test('becomes a dead letter with its reason, among tasks that wait', async () => {
    const jobs = await openJobs();
    const { client } = jobs;
    const waiting = await client.enqueueMany(
      add,
      Array.from({ length: 300 }, (_, a) => ({ payload: { a, b: 1 } })),
    );
    const subjects = await publishAll(jobs, STRAYS);
    openReaper(jobs);
    const letters = await waitFor('the dead letters', async () => {
      const found = await client.deadLetters.list();
      return found.length === STRAYS.length && found;
    });
    for (const [index, letter] of letters.entries()) {
      expect(letter).toMatchObject({ queue: 'work', reason: 'invalid_payload', payload: { a: 1, b: 2 } });
      expect(letter.error).toContain(subjects[index]);
      expect(await client.deadLetters.get(letter.id)).toEqual(letter);
    }
    const [urgent, , withoutPriority] = letters;
    expect(urgent).toMatchObject({ id: 'a', task: 'add', tenant: '1', priority: 'normal' });
    expect(withoutPriority).toMatchObject({ id: 'c', task: 'add', tenant: null });
    expect(await client.queues()).toMatchObject([{ normal: waiting.length, delayed: 0, running: 0 }]);
    expect(await storedMessages(jobs)).toBe(waiting.length);
    const [later] = await publishAll(jobs, ['urgent.1.add.later']);
    await waitFor('a later one', async () =>
      (await client.deadLetters.get('later'))?.error.includes(later ?? ''),
    );
  });

  test('becomes one through a worker where a lane takes it', async () => {
    const jobs = await openJobs();
    const subjects = await publishAll(jobs, MISSHAPEN);
    jobs.worker([addHandler]);
    const letters = await waitFor('the dead letters', async () => {
      const found = await jobs.client.deadLetters.list();
      return found.length === MISSHAPEN.length && found;
    });
    const errors = letters.map(({ error }) => error).join('\n');
    for (const subject of subjects) expect(errors).toContain(subject);
    await waitFor('an empty queue', async () => (await storedMessages(jobs)) === 0);
  });

  test('becomes one each time, however often its subject is published at once', async () => {
    const jobs = await openJobs();
    const { client, connection, topology } = jobs;
    const delayed = (id: string): string => topology.names.delayedSubject('work', id);
    const astray = headersOf({ 'Nats-Schedule-Target': 'nowhere.at.all' });
    const numbers = Array.from({ length: 20 }, (_, number) => number);
    await Promise.all(
      numbers.flatMap((number) => [
        jetstream(connection).publish(delayed(`d${number}`), `{"delayed":${number}}`, { headers: astray }),
        jetstream(connection).publish(`${topology.names.prefix}.tasks.work.urgent`, `{"stray":${number}}`),
        jetstream(connection).publish(`${topology.names.prefix}.tasks.work.high`, `{"lane":${number}}`),
      ]),
    );
    jobs.worker([addHandler]);
    openReaper(jobs);
    await waitFor('the queue to be empty', async () => (await storedMessages(jobs)) === 0);
    const payloads = (await client.deadLetters.list()).map(({ payload }) => JSON.stringify(payload));
    const expected = ['delayed', 'stray', 'lane'].flatMap((kind) =>
      numbers.map((number) => `{"${kind}":${number}}`),
    );
    expect(payloads.toSorted()).toEqual(expected.toSorted());
  });

  test('is purged with the tasks', async () => {
    const jobs = await openJobs();
    await publishAll(jobs, [...STRAYS, ...MISSHAPEN]);
    await jetstream(jobs.connection).publish(jobs.topology.names.delayedSubject('work', 'aimless'), SUM);
    await jobs.client.enqueue(add, { a: 1, b: 1 });
    await jobs.client.enqueue(add, { a: 1, b: 1 }, { delayMs: HOUR_MS });
    expect(await jobs.client.purge('work')).toBe(STRAYS.length + MISSHAPEN.length + 3);
    expect(await storedMessages(jobs)).toBe(0);
  });
});

describe('a delayed message', () => {
  test('without a schedule is handed over, and without a task in its target becomes a dead letter', async () => {
    const jobs = await openJobs();
    const { client, connection, topology } = jobs;
    const { names } = topology;
    const target = (id: string): string =>
      names.taskSubject({ queue: 'work', priority: 'normal', tenant: '1', task: 'add', id });
    const send = (id: string, fields: Record<string, string>): Promise<unknown> =>
      jetstream(connection).publish(names.delayedSubject('work', id), SUM, { headers: headersOf(fields) });
    await send('unscheduled', { 'Nats-Schedule-Target': target('unscheduled') });
    await send('much-later', {
      'Nats-Schedule-Target': target('much-later'),
      'Task-Not-Before': String(Date.now() + HOUR_MS),
    });
    await send('aimless', {});
    await send('astray', { 'Nats-Schedule-Target': 'nowhere.at.all' });
    expect(await client.queues()).toMatchObject([{ normal: 0, delayed: 4 }]);
    jobs.worker([addHandler]);
    openReaper(jobs);
    expect(await client.result('unscheduled')).toMatchObject({ state: 'SUCCESS', result: { sum: 3 } });
    const letters = await waitFor('the dead letters', async () => {
      const found = await client.deadLetters.list();
      return found.length === 2 && found;
    });
    expect(letters.map(({ error }) => error).toSorted()).toEqual([
      expect.stringContaining('Nats-Schedule-Target is "nowhere.at.all"'),
      expect.stringContaining('Nats-Schedule-Target is missing'),
    ]);
    expect(await client.status('much-later')).toMatchObject({ state: 'SCHEDULED' });
    expect(await client.queues()).toMatchObject([{ delayed: 1 }]);
  });
});

describe('a delayed task whose time came while the broker was full', () => {
  test('is counted as overdue, and handed over once there is room', async () => {
    const { connection, topology, client } = await openOwnJobs({}, { maxStoreBytes: 3_000_000 });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'FILLER', subjects: ['filler'] });
    await client.enqueue(add, { a: 1, b: 2 }, { id: 'late', delayMs: 1_500 });
    const fill = async (bytes: number): Promise<void> => {
      const body = new Uint8Array(bytes);
      const isFull = (): Promise<boolean> =>
        jetstream(connection)
          .publish('filler', body)
          .then(
            () => false,
            () => true,
          );
      await waitFor('a full broker', isFull);
    };
    for (const bytes of [500_000, 50_000, 500]) await fill(bytes);
    const registry = new Registry();
    openReaper({ connection, topology }, registry);
    await waitFor('the metric', async () =>
      (await registry.metrics()).includes('stratum_overdue_tasks{queue="work"} 1'),
    );
    expect(await client.queues()).toMatchObject([{ normal: 0, delayed: 1 }]);
    await manager.streams.purge('FILLER');
    await waitFor('the hand-over', async () => (await client.queues())[0]?.normal === 1);
    expect(await client.status('late')).toMatchObject({ state: 'PENDING' });
    await waitFor('the metric to fall', async () =>
      (await registry.metrics()).includes('stratum_overdue_tasks{queue="work"} 0'),
    );
  });
});

describe('a producer whose clock is an hour ahead', () => {
  test('does not outrank what is enqueued under the same id later', async () => {
    const jobs = await openJobs();
    const { client, connection, topology } = jobs;
    const subject = topology.names.taskSubject({
      queue: 'work',
      priority: 'normal',
      tenant: '1',
      task: 'add',
      id: 'same',
    });
    const ahead = headersOf({ 'Task-Enqueued-At': new Date(Date.now() + HOUR_MS).toISOString() });
    const begun = Date.now();
    await jetstream(connection).publish(subject, '{"a":"not a number"}', { headers: ahead });
    jobs.worker([addHandler]);
    const failed = await client.result('same');
    expect(failed.state).toBe('FAILURE');
    expect(Date.parse(failed.enqueued_at ?? '')).toBeLessThan(begun + HOUR_MS / 2);
    await jetstream(connection).publish(subject, SUM);
    await waitFor('its success', async () => (await client.status('same'))?.state === 'SUCCESS');
  });
});
