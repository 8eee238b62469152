/** An example for each row of "Architecture" in docs/start/from-celery.md. */
import { jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import {
  createReaper,
  createScheduler,
  createWorkflowMaintenance,
  handleTask,
  openSchedules,
  step,
} from '@stratum/jobs';
import { collectQueueMetrics } from '@stratum/jobs/metrics';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { runStratum } from '../../cli/stratum.js';
import { spawnProgram, testDatabase, waitFor } from '../../harness/index.js';
import { add, addHandler, openJobs } from '../../jobs/fixture.js';

test('producer: API, Beat, webhook', async () => {
  const { client, connection, topology, worker } = await openJobs();
  worker([addHandler]);
  // Any process with `createClient` …
  const { id } = await client.enqueue(add, { a: 1, b: 2 });
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  // … or any NATS client.
  await jetstream(connection).publish(
    `${topology.names.prefix}.tasks.work.normal._.add.raw`,
    '{"a":3,"b":4}',
  );
  expect(await client.result('raw')).toMatchObject({ result: { sum: 7 } });
});

test('message broker: Redis', async () => {
  const { connection, topology } = await openJobs({ queues: [{ name: 'one' }, { name: 'two' }] });
  const manager = await jetstreamManager(connection);
  for (const queue of ['one', 'two']) {
    const { config } = await manager.streams.info(topology.names.queueStream(queue));
    expect(config.storage).toBe(StorageType.File);
  }
});

test('worker', async () => {
  const { client, worker } = await openJobs();
  // Each is a `createWorker`, here in one process.
  worker([addHandler]);
  worker([addHandler]);
  expect(await waitFor('two workers', async () => (await client.control.workers()).length === 2)).toBe(true);
});

test('result backend: Redis', async () => {
  const { client, connection, topology, worker } = await openJobs();
  worker([addHandler]);
  const { id } = await client.enqueue(add, { a: 1, b: 2 });
  await client.result(id);
  // With the default prefix it is the bucket `task_results`.
  expect(topology.names.resultBucket).toMatch(/task_results$/);
  const stream = await jetstream(connection).streams.get(topology.names.resultStream);
  const stored = await stream.getMessage({ last_by_subj: topology.names.resultKey(id) });
  expect(stored?.json()).toMatchObject({ state: 'SUCCESS', result: { sum: 3 } });
});

test('Celery Beat', async () => {
  const { connection, topology } = await openJobs();
  const pair = ['one', 'two'].map((name) =>
    createScheduler({ connection, topology, contracts: [add], entries: [], name }),
  );
  for (const scheduler of pair) scheduler.start();
  onTestFinished(async () => void (await Promise.all(pair.map((scheduler) => scheduler.stop()))));
  await waitFor('one leads', () => pair.filter(({ leading }) => leading).length === 1);
  const schedules = openSchedules({ connection, topology, contracts: [add] });
  onTestFinished(() => schedules.close());
  const { members } = await waitFor('a leader to be known', async () => {
    const view = await schedules.schedulers();
    return view.members.length === 2 && view;
  });
  expect(members.map(({ name }) => name)).toEqual(['one', 'two']);
});

test('storage: PostgreSQL', async () => {
  const { owner: pool } = await testDatabase();
  const { client, worker } = await openJobs();
  worker([
    handleTask(add, async ({ a, b }) => {
      const { rows } = await pool.query<{ sum: number }>('SELECT $1::int + $2::int AS sum', [a, b]);
      return { sum: rows[0]?.sum ?? 0 };
    }),
  ]);
  expect(await client.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
});

test('Flower', async () => {
  const { client, natsUrl, topology, worker } = await openJobs();
  worker([addHandler]);
  await client.enqueue(add, { a: 1, b: 2 }, { id: 'seen' });
  await client.result('seen');
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: topology.names.prefix };
  // `stratum status`
  expect(await runStratum(['status'], env)).toMatchObject({ stdout: expect.stringContaining('work') });
  // `stratum events` prints them as they come.
  const events = spawnProgram('packages/cli/bin/stratum.js', env, ['events']);
  await waitFor('an event', async () => {
    await client.enqueue(add, { a: 1, b: 2 });
    return events.output().includes('SUCCESS');
  });
  const registry = new Registry();
  collectQueueMetrics(client, registry);
  expect(await registry.metrics()).toContain('stratum_queue_tasks{queue="work"');
});

test('no counterpart: a task that keeps losing its workers', async () => {
  const { client, connection, topology } = await openJobs({ ackWaitMs: 200, maxDeliver: 1 });
  const reaper = createReaper({ connection, topology });
  reaper.start();
  onTestFinished(() => reaper.stop());
  await client.enqueue(add, { a: 1, b: 2 }, { id: 'lost' });
  const lane = await jetstream(connection).consumers.get(topology.names.queueStream('work'), 'work-normal');
  // Taken, and never acknowledged.
  expect(await lane.next()).toBeDefined();
  await waitFor('the end of its ack wait', async () => {
    expect(await lane.next({ expires: 1_000 })).toBeNull();
    return client.deadLetters.get('lost');
  });
  expect(await client.deadLetters.get('lost')).toMatchObject({ reason: 'worker_lost' });
});

test('no counterpart: a canvas whose process has died', async () => {
  const { client, connection, topology, worker } = await openJobs();
  worker([addHandler]);
  // A producer that died between storing a workflow and enqueuing its first step leaves it to the others.
  const maintenance = createWorkflowMaintenance({ connection, topology, contracts: [add] });
  maintenance.start();
  onTestFinished(() => maintenance.stop());
  await jetstream(connection).publish(
    topology.names.workflowStartSubject(undefined, 'left'),
    JSON.stringify({ chain: [step(add, { a: 1, b: 2 })] }),
  );
  await waitFor('its start', () => client.workflows.get('left').catch(() => undefined));
  expect(await client.workflows.result('left')).toMatchObject({ state: 'SUCCESS' });
});
