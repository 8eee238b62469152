/** Each control by its effect on the broker, and in the audit. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { defineTask, handleTask } from '@stratum/jobs';
import { auditNames } from '@stratum/shared';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { TENANT } from '../harness/platform.js';
import { openDashboard, type Call, type Dashboard } from './fixture.js';

const wait = defineTask({ name: 'wait', queue: 'default', input: z.object({}), output: z.string() });

async function auditedActions({ connection, prefix }: Dashboard): Promise<unknown[]> {
  const { stream } = auditNames(prefix);
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(stream);
  const events: unknown[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(stream, { seq });
    const event: { actor?: string; action?: string; subject?: string } = message?.json() ?? {};
    events.push([event.actor?.split('/')[0], event.action, event.subject]);
  }
  return events;
}

interface Sampled {
  sampled_at: string | null;
  verdict: string;
  problems: { code: string }[];
  queues: { queue: string; normal: number; paused: boolean }[];
  workers: { name: string; concurrency: number }[];
}

const overview = async (platform: Call): Promise<Sampled> =>
  (await platform<Sampled>('GET', '/api/overview')).body;

test('pause, resume, purge, revoke and the controls of workers do what they say, and are audited first', async () => {
  const dashboard = await openDashboard();
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const paused = async (): Promise<boolean> =>
    (await dashboard.client.queues()).find(({ queue }) => queue === 'default')?.paused === true;
  expect(await platform('POST', '/api/queues/default/pause', { reason: 'Meta is down' })).toMatchObject({
    status: 200,
    body: { queue: 'default', paused: true },
  });
  expect(await paused()).toBe(true);
  for (const id of ['one', 'two', 'three'])
    await dashboard.client.enqueue(wait, {}, { id, tenant: String(TENANT) });
  // They wait, so that no event tells of them.
  const { body } = await platform<{ waiting: { items: { id: string; tenant_id: string }[]; total: number } }>(
    'GET',
    '/api/tasks?q=task:wait',
  );
  expect(body.waiting.total).toBe(3);
  expect(body.waiting.items.map(({ id }) => id)).toEqual(['one', 'two', 'three']);
  expect(await platform('POST', '/api/tasks/one/revoke', {})).toMatchObject({ body: { outcome: 'revoked' } });
  expect(await platform('POST', '/api/queues/default/purge', { confirm: 'other' })).toMatchObject({
    status: 422,
  });
  expect(await platform('POST', '/api/queues/default/purge', { confirm: 'default' })).toMatchObject({
    body: { purged: 2 },
  });
  await platform('POST', '/api/queues/default/resume', {});
  expect(await paused()).toBe(false);
  expect(await auditedActions(dashboard)).toEqual([
    ['key', 'queue.paused', 'queue/default'],
    ['key', 'task.revoked', 'task/one'],
    ['key', 'queue.purged', 'queue/default'],
    ['key', 'queue.resumed', 'queue/default'],
  ]);
  expect(await platform('POST', '/api/queues/nowhere/pause', {})).toMatchObject({ status: 404 });
});

test('a worker takes its new concurrency, and is asked to shut down by name', async () => {
  const dashboard = await openDashboard();
  dashboard.startWorker('default', [handleTask(wait, () => Promise.resolve('done'))]);
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const worker = await waitFor('the worker in a sample', async () => (await overview(platform)).workers[0]);
  expect(await platform('POST', `/api/workers/${worker.name}/concurrency`, { concurrency: 7 })).toMatchObject(
    {
      status: 200,
    },
  );
  await waitFor(
    'the new concurrency',
    async () => (await dashboard.client.control.workers())[0]?.concurrency === 7,
  );
  expect(await platform('POST', `/api/workers/${worker.name}/shutdown`, { confirm: 'x' })).toMatchObject({
    status: 422,
  });
  await platform('POST', `/api/workers/${worker.name}/shutdown`, { confirm: worker.name });
  await waitFor('the worker to be gone', async () => (await dashboard.client.control.workers()).length === 0);
});

test('the overview names a paused queue with a backlog first, and forgets it when it moves again', async () => {
  const dashboard = await openDashboard();
  dashboard.startWorker('default', [handleTask(wait, () => Promise.resolve('done'))]);
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  await waitFor('the first sample', async () => (await overview(platform)).sampled_at !== null);
  await dashboard.client.control.pause('default');
  await dashboard.client.enqueue(wait, {}, { id: 'held' });
  await waitFor(
    'the paused queue to be named',
    async () => (await overview(platform)).problems[0]?.code === 'paused_with_backlog',
  );
  await platform('POST', '/api/queues/default/resume', {});
  await waitFor('the problem to be gone', async () =>
    (await overview(platform)).problems.every(({ code }) => code !== 'paused_with_backlog'),
  );
  await jetstream(dashboard.connection).publish(
    dashboard.topology.names.taskSubject({
      queue: 'ml',
      priority: 'normal',
      tenant: '_',
      task: 'any',
      id: 'orphan',
    }),
    '{}',
  );
  const named = await waitFor('the queue without a worker to be named', async () =>
    (await overview(platform)).problems.find(({ code }) => code === 'no_worker'),
  );
  expect(named).toMatchObject({ link: 'queues/ml' });
});

test('why it is not running: asked of the broker, as things change', async () => {
  const dashboard = await openDashboard();
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const why = async (id: string): Promise<string[]> => {
    const { body } = await platform<{ findings: { code: string }[] }>('GET', `/api/tasks/${id}/why`);
    return body.findings.map(({ code }) => code);
  };
  await dashboard.client.enqueue(wait, {}, { id: 'first' });
  await dashboard.client.enqueue(wait, {}, { id: 'later', delayMs: 3_600_000 });
  expect(await why('first')).toEqual(['no_worker']);
  expect(await why('later')).toEqual(['delayed', 'no_worker']);
  await dashboard.client.control.pause('default');
  expect(await why('first')).toEqual(['queue_paused', 'no_worker']);
  let release: () => void = () => undefined;
  const released = new Promise<string>((resolve) => (release = () => resolve('done')));
  dashboard.startWorker('default', [handleTask(wait, () => released)]);
  await waitFor('the worker', async () => (await dashboard.client.control.workers()).length === 1);
  expect(await why('first')).toEqual(['queue_paused']);
  await dashboard.client.control.resume('default');
  await waitFor('the start', async () => (await why('first'))[0] === 'running');
  release();
  await dashboard.client.result('first');
  expect(await why('first')).toEqual(['ended']);
  expect((await platform('GET', '/api/tasks/never-seen/why')).status).toBe(404);
});
