/** What an event says beside the record, and that it is stored once. */
import {
  createClient,
  createWorker,
  defineTask,
  handleTask,
  taskEventSchema,
  TaskError,
  type TaskEvent,
} from '@stratum/jobs';
import { jetstreamManager } from '@nats-io/jetstream';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/wait-for.js';
import { openJobs, type Jobs } from './fixture.js';

const order = defineTask({
  name: 'order',
  queue: 'work',
  input: z.object({ platform: z.string(), amount: z.number().optional(), card_token: z.string().optional() }),
  output: z.null(),
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 1 } },
  labels: { team: 'growth', platform: { field: 'platform' }, amount: { field: 'amount' } },
});

async function storedEvents({ connection, topology }: Jobs, id: string): Promise<TaskEvent[]> {
  const manager = await jetstreamManager(connection);
  const { names } = topology;
  const { state } = await manager.streams.info(names.eventStream);
  const events: TaskEvent[] = [];
  // A stream without any message says that its first one is number 0.
  for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq++) {
    const stored = await manager.streams.getMessage(names.eventStream, { seq });
    if (stored === null) continue;
    const event = taskEventSchema.parse(stored.json());
    expect(stored.subject).toBe(names.eventSubject(event.queue, event.task, event.state));
    if (event.id !== id) continue;
    expect(stored.header.get('Nats-Msg-Id')).toBe(event.event_id);
    events.push(event);
  }
  return events;
}

async function eventsOf(jobs: Jobs, id: string, states: readonly string[]): Promise<TaskEvent[]> {
  await waitFor('its events', async () => (await storedEvents(jobs, id)).length >= states.length);
  const events = await storedEvents(jobs, id);
  expect(events.map(({ state }) => state)).toEqual(states);
  return events;
}

test('an event says attempt and delivery, since when the task was ready, who scheduled it, its trace, labels and the worker’s version', async () => {
  const jobs = await openJobs();
  let runs = 0;
  jobs.worker(
    [
      handleTask(order, () => {
        if (++runs === 1) throw new TaskError('not today');
        return null;
      }),
    ],
    { version: '3.1.4' },
  );
  const tick = new Date('2026-01-02T03:00:00Z');
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const { id } = await jobs.client.enqueue(
    order,
    { platform: `meta${'x'.repeat(100)}`, amount: 7 },
    { scheduledBy: { entry: 'nightly', tick }, traceParent: `00-${traceId}-b7ad6b7169203331-01` },
  );
  await jobs.client.result(id);
  const events = await eventsOf(jobs, id, ['RETRY', 'SUCCESS']);
  for (const [index, event] of events.entries()) {
    expect(event).toMatchObject({
      attempt: index + 1,
      delivery: 1,
      scheduled_by: { entry: 'nightly', tick: tick.toISOString() },
      trace_id: traceId,
      worker_version: '3.1.4',
      labels: { team: 'growth', platform: `meta${'x'.repeat(59)}…`, amount: '7' },
    });
    expect(Date.parse(event.ready_at ?? '')).toBeLessThanOrEqual(Date.parse(event.started_at ?? ''));
  }
  expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(2);
});

test('a step’s event names workflow and step; a task for later is reported as scheduled, a revoked one as revoked', async () => {
  const jobs = await openJobs();
  const { connection, topology } = jobs;
  const client = createClient({ connection, topology, contracts: [order] });
  onTestFinished(() => client.close());
  jobs.worker([handleTask(order, () => null)]);
  const { id } = await client.workflows.start({ chain: [{ task: 'order', payload: { platform: 'meta' } }] });
  await client.workflows.result(id);
  const [step] = await eventsOf(jobs, `${id}-1`, ['SUCCESS']);
  expect(step).toMatchObject({ workflow: { id, step: 1 } });

  const later = await client.enqueue(order, { platform: 'meta' }, { delayMs: 3_600_000 });
  await client.revoke(later.id);
  const [scheduled] = await eventsOf(jobs, later.id, ['SCHEDULED', 'REVOKED']);
  expect(scheduled).toMatchObject({ attempt: 1, labels: { platform: 'meta' } });
  expect(Date.parse(scheduled?.ready_at ?? '')).toBeGreaterThan(Date.now() + 3_000_000);
});

test('a task that a stopping worker releases is reported as queued; both deliveries are in its events', async () => {
  const jobs = await openJobs();
  const first = jobs.worker([handleTask(order, (_payload, { signal }) => untilAborted(signal))], {
    shutdownGraceMs: 0,
  });
  const { id } = await jobs.client.enqueue(order, { platform: 'meta' });
  await waitFor('the first run', () => first.runningCount === 1);
  await first.stop();
  jobs.worker([handleTask(order, () => null)]);
  await jobs.client.result(id);
  await waitFor('the end', async () =>
    (await storedEvents(jobs, id)).some(({ state }) => state === 'SUCCESS'),
  );
  // A slow machine reports the start of an attempt as well.
  const events = (await storedEvents(jobs, id)).filter(({ state }) => state !== 'STARTED');
  expect(events).toMatchObject([
    { state: 'QUEUED', attempt: 1, delivery: 1 },
    { state: 'SUCCESS', attempt: 1, delivery: 2 },
  ]);
});

test('an event whose confirmation is lost is stored once', async () => {
  const jobs = await openJobs();
  const { connection, topology } = jobs;
  const { names } = topology;
  const twice = new Proxy(connection, {
    get: (target, property) => {
      if (property !== 'publish') return Reflect.get(target, property, target);
      return (...message: Parameters<typeof connection.publish>) => {
        if (message[0].startsWith(names.eventFilter.slice(0, -1))) target.publish(...message);
        target.publish(...message);
      };
    },
  });
  const worker = createWorker({
    connection: twice,
    topology,
    queues: ['work'],
    handlers: [handleTask(order, () => null)],
  });
  worker.start();
  const { id } = await jobs.client.enqueue(order, { platform: 'meta' });
  await jobs.client.result(id);
  await worker.stop();
  expect(await eventsOf(jobs, id, ['SUCCESS'])).toHaveLength(1);
});

test('an event of an older version is read', () => {
  const old = {
    id: 'a',
    task: 't',
    queue: 'q',
    tenant: null,
    priority: 'normal',
    state: 'PENDING',
    retries: 0,
    worker: null,
    error: null,
    progress: null,
    enqueued_at: null,
    started_at: null,
    finished_at: null,
    runtime_ms: null,
    parent_id: null,
    root_id: 'a',
    at: '2026-01-01T00:00:00.000Z',
  };
  expect(taskEventSchema.parse(old)).toEqual({ ...old, state: 'QUEUED' });
});

test.each([
  ['nine labels', Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`l${n}`, 'x'])), 'at most 8'],
  ['a long constant', { team: 'x'.repeat(65) }, '1 to 64'],
  ['a name with a blank', { 'my team': 'x' }, 'label'],
  ['a secret', { card: { field: 'card_token' } }, 'sensitive'],
  ['a field that the contract hides', { platform: { field: 'platform' } }, 'sensitive'],
] as const)('%s is refused', (_, labels, message) => {
  const { input, output } = order;
  expect(() =>
    defineTask({ name: 'x', queue: 'work', input, output, labels: { ...labels }, sensitive: ['platform'] }),
  ).toThrow(message);
});

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')));
  });
}
