/** Unusable numbers and times at every entrance: each is refused with its field and bounds, and nothing is stored. */
import {
  connectToNats,
  createResultResponder,
  createWorker,
  createWorkflowMaintenance,
  createClient,
  defineTask,
  defineTopology,
  fastClock,
  handleTask,
  isolateTask,
  openSchedules,
  step,
  type EnqueueOptions,
  type Worker,
} from '@stratum/jobs';
import { jetstream } from '@nats-io/jetstream';
import { headers as newHeaders } from '@nats-io/transport-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { add, addHandler, openJobs, type Jobs } from './fixture.js';

// oxlint-disable-next-line typescript/no-explicit-any, typescript/no-unsafe-type-assertion -- JavaScript and JSON pass values of any type
const untyped = (value: unknown): any => value as any;

const HOSTILE: readonly unknown[] = [
  Number.NaN,
  Infinity,
  -Infinity,
  -1,
  1e16,
  Number.MAX_SAFE_INTEGER * 1_000,
  Number.MAX_VALUE,
  '5',
  null,
  2n ** 64n,
  {},
];
/** Of a setting with a default, which holds for `null` as well. */
const PRESENT = HOSTILE.filter((value) => value !== null);
const HOSTILE_TIMES: readonly unknown[] = [
  new Date(Number.NaN),
  new Date(-1),
  new Date(8.64e15),
  Date.now(),
  '2026-01-01',
  null,
];

const input = z.object({});
const output = z.unknown();
const task = (options: object): unknown =>
  defineTask({ name: 't', queue: 'work', input, output, ...options });
const topology = (options: object): unknown => defineTopology({ queues: [{ name: 'work' }], ...options });

/** No trace context of the W3C: other cases, lengths, versions and signs, and ids of zeros. */
const HOSTILE_TRACES = [
  'x',
  '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
  '00-00000000000000000000000000000000-b7ad6b7169203331-01',
  '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more',
  'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  `01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-${'x'.repeat(512)}`,
];
const HOSTILE_STATES = [
  'no pair',
  '=1',
  'Vendor=1',
  'a=1,b',
  'ä=1',
  `a=${'x'.repeat(600)}`,
  'a=1,'.repeat(40),
];

interface Entrance {
  field: string;
  give: (jobs: Jobs, value: never) => unknown;
  values?: readonly unknown[];
}

const enqueue = (field: keyof EnqueueOptions, values = HOSTILE): Entrance => ({
  field,
  values,
  give: ({ client }, value) =>
    client.enqueue(
      add,
      { a: 1, b: 2 },
      { [field]: value, ...(field === 'uniqueForMs' && { uniqueKey: 'k' }) },
    ),
});
const debounced = (field: string): Entrance => ({
  field: `debounce.${field}`,
  give: ({ client }, value) =>
    client.enqueue(add, { a: 1, b: 2 }, { debounce: { key: 'k', quietMs: 1_000, [field]: value } }),
});
const worker = (field: string, options: (value: never) => object): Entrance => ({
  field,
  values: PRESENT,
  give: ({ connection, topology: declared }, value) =>
    createWorker({
      connection,
      topology: declared,
      queues: ['work'],
      handlers: [addHandler],
      ...options(value),
    }),
});
const workflow = (field: string): Entrance => ({
  field,
  give: ({ client }, value) => {
    const definition = { ...step(add, { a: 1, b: 2 }), options: { [field]: value } };
    return client.workflows.start(untyped(definition));
  },
});
const entry = (field: string): Entrance => ({
  field,
  give: async ({ connection, topology: declared }, value) => {
    const schedules = openSchedules({ connection, topology: declared, contracts: [add] });
    const cadence = field === 'every_ms' ? {} : { every_ms: 60_000 };
    const options = { name: 'hostile', task: 'add', payload: { a: 1, b: 2 }, ...cadence, [field]: value };
    try {
      return await schedules.add(untyped(options));
    } finally {
      await schedules.close();
    }
  },
});

const ENTRANCES: readonly (readonly [string, Entrance])[] = Object.entries({
  'a contract, retries': {
    field: 'retry.maxRetries',
    give: (_, maxRetries) => task({ retry: { maxRetries } }),
  },
  'a contract, fixed backoff': {
    field: 'retry.backoff.delayMs',
    give: (_, delayMs) => task({ retry: { backoff: { kind: 'fixed', delayMs } } }),
  },
  'a contract, first backoff': {
    field: 'retry.backoff.initialMs',
    give: (_, initialMs) => task({ retry: { backoff: { kind: 'exponential', initialMs, maxMs: 1 } } }),
  },
  'a contract, longest backoff': {
    field: 'retry.backoff.maxMs',
    give: (_, maxMs) => task({ retry: { backoff: { kind: 'exponential', initialMs: 1, maxMs } } }),
  },
  'a contract, soft limit': {
    field: 'limits.softTimeLimitMs',
    give: (_, softTimeLimitMs) => task({ limits: { softTimeLimitMs } }),
  },
  'a contract, hard limit': {
    field: 'limits.timeLimitMs',
    give: (_, timeLimitMs) => task({ limits: { timeLimitMs } }),
  },
  'a contract, retention': {
    field: 'resultExpiresMs',
    give: (_, resultExpiresMs) => task({ resultExpiresMs }),
  },
  'a contract, retention beyond the bucket': {
    field: 'resultExpiresMs',
    values: [86_400_001, 864_000_000],
    give: ({ connection, topology: declared }, resultExpiresMs) => {
      const kept = defineTask({ name: 't', queue: 'work', input, output, resultExpiresMs });
      const handlers = [handleTask(kept, () => null)];
      return createWorker({ connection, topology: declared, queues: ['work'], handlers });
    },
  },
  ...Object.fromEntries(
    [
      'ackWaitMs',
      'maxDeliver',
      'replicas',
      'resultExpiresMs',
      'maxPayloadBytes',
      'maxResultBytes',
      'deadLettersExpireMs',
      'eventsExpireMs',
      'workflowsExpireMs',
    ].map((field) => [
      `the topology, ${field}`,
      {
        field,
        values: PRESENT,
        give: (_: Jobs, value: never) => topology({ [field]: value }),
      },
    ]),
  ),
  'enqueue, delay': enqueue('delayMs'),
  'enqueue, eta': enqueue('eta', HOSTILE_TIMES),
  'enqueue, expiry': enqueue('expires', HOSTILE_TIMES),
  'enqueue, retries': enqueue('maxRetries'),
  'enqueue, soft limit': enqueue('softTimeLimitMs'),
  'enqueue, hard limit': enqueue('timeLimitMs'),
  'enqueue, unique key': enqueue('uniqueForMs'),
  'enqueue, quiet time': debounced('quietMs'),
  'enqueue, longest wait': debounced('maxMs'),
  'enqueue, priority': enqueue('priority', ['urgent', 5, null, '*', '>']),
  'enqueue, id': enqueue('id', ['', 'a.b', 'a b', 'ü', 'x'.repeat(65), '*', 7, null]),
  'enqueue, tenant': enqueue('tenant', ['', 'a.b', '>', 'x'.repeat(65), null, Number.NaN + 0.5, -0.5]),
  'enqueue, parent': enqueue('parentId', ['', 'a b\r\nX: 1', 'x'.repeat(65), 7]),
  'enqueue, trace': enqueue('traceParent', [...HOSTILE_TRACES, 7]),
  'enqueue, state of a trace': enqueue('traceState', [...HOSTILE_STATES, 7]),
  'a workflow, trace': {
    field: 'traceParent',
    values: HOSTILE_TRACES,
    give: ({ client }, traceParent) => client.workflows.start(step(add, { a: 1, b: 2 }), { traceParent }),
  },
  'a result, timeout': {
    field: 'timeoutMs',
    values: PRESENT,
    give: ({ client }, timeoutMs) => client.result('x', { timeoutMs }),
  },
  'a call, timeout': {
    field: 'timeoutMs',
    give: ({ client }, timeoutMs) => client.call(add, { a: 1, b: 2 }, { timeoutMs }),
  },
  "a workflow's result, timeout": {
    field: 'timeoutMs',
    give: ({ client }, timeoutMs) => client.workflows.result('x', { timeoutMs }),
  },
  'control, concurrency': {
    field: 'concurrency',
    give: ({ client }, value) => client.control.setConcurrency(value),
  },
  'control, timeout': {
    field: 'timeoutMs',
    give: ({ client }, timeoutMs) => client.control.inspect('ping', { timeoutMs }),
  },
  'a rate limit': {
    field: 'limit',
    give: ({ client }, limit) => client.control.setRateLimit('add', { limit, perMs: 1_000 }),
  },
  'the period of a rate limit': {
    field: 'perMs',
    give: ({ client }, perMs) => client.control.setRateLimit('add', { limit: 1, perMs }),
  },
  'a limit by key': {
    field: 'concurrency',
    // `null` lifts the limit.
    give: ({ client }, value) =>
      client.control.setKeyLimit('add', 'account', { concurrency: value ?? Number.NaN }),
  },
  'the rate of a limit by key': {
    field: 'rate.limit',
    give: ({ client }, limit) =>
      client.control.setKeyLimit('add', 'account', { rate: { limit, perMs: 1_000 } }),
  },
  'the period of a limit by key': {
    field: 'rate.perMs',
    give: ({ client }, perMs) => client.control.setKeyLimit('add', 'account', { rate: { limit: 1, perMs } }),
  },
  'dead letters, limit': { field: 'limit', give: ({ client }, limit) => client.deadLetters.list({ limit }) },
  'dead letters, page': { field: 'after', give: ({ client }, after) => client.deadLetters.list({ after }) },
  'dead letters, rate': {
    field: 'ratePerSecond',
    give: ({ client }, ratePerSecond) => client.deadLetters.replayMany({}, { ratePerSecond }).next(),
  },
  'workflows, limit': { field: 'limit', give: ({ client }, limit) => client.workflows.list({ limit }) },
  'workflows, page': {
    field: 'before',
    give: ({ client }, before) => client.workflows.list({ before }),
    values: HOSTILE.filter((value) => value !== Infinity),
  },
  'a workflow, delay': workflow('delay_ms'),
  'a workflow, expiry': workflow('expires_ms'),
  'a workflow, retries': workflow('max_retries'),
  'a workflow, soft limit': workflow('soft_time_limit_ms'),
  'a workflow, hard limit': workflow('time_limit_ms'),
  'a schedule entry, interval': entry('every_ms'),
  'a schedule entry, jitter': entry('jitter_ms'),
  'a schedule entry, deadline': entry('starting_deadline_ms'),
  'a schedule entry, window': entry('catch_up_window_ms'),
  'a worker, concurrency': worker('concurrency', (concurrency) => ({ concurrency })),
  'a worker, prefetch': worker('prefetchMultiplier', (prefetchMultiplier) => ({ prefetchMultiplier })),
  'a worker, grace': worker('shutdownGraceMs', (shutdownGraceMs) => ({ shutdownGraceMs })),
  'a worker, retries': worker('defaults.maxRetries', (maxRetries) => ({ defaults: { maxRetries } })),
  'a worker, backoff': worker('defaults.backoff.delayMs', (delayMs) => ({
    defaults: { backoff: { kind: 'fixed', delayMs } },
  })),
  'a worker, soft limit': worker('defaults.softTimeLimitMs', (softTimeLimitMs) => ({
    defaults: { softTimeLimitMs },
  })),
  'a worker, hard limit': worker('defaults.timeLimitMs', (timeLimitMs) => ({ defaults: { timeLimitMs } })),
  'a running worker, concurrency': {
    field: 'concurrency',
    give: (jobs, value) => {
      const running: Worker = jobs.worker([addHandler]);
      running.concurrency = value;
    },
    values: [Number.NaN, 0, 1e16, '5'],
  },
  'isolation, threads': {
    field: 'maxThreads',
    give: (_, maxThreads) => isolateTask(add, { module: new URL('file:///x.js'), maxThreads }),
  },
  'isolation, heap': {
    field: 'maxHeapMiB',
    give: (_, maxHeapMiB) => isolateTask(add, { module: new URL('file:///x.js'), maxHeapMiB }),
  },
  'a client, window': {
    field: 'publishing.windowSize',
    give: ({ connection, topology: declared }, windowSize) =>
      createClient({ connection, topology: declared, publishing: { windowSize } }),
  },
  'a client, deadline': {
    field: 'publishing.deadlineMs',
    give: ({ connection, topology: declared }, deadlineMs) =>
      createClient({ connection, topology: declared, publishing: { deadlineMs } }),
  },
  'a connection, timeout': {
    field: 'timeoutMs',
    give: ({ natsUrl }, timeoutMs) => connectToNats({ servers: natsUrl, name: 'hostile', timeoutMs }),
    values: PRESENT,
  },
  'workflow maintenance, rounds': {
    field: 'roundMs',
    give: ({ connection, topology: declared }, roundMs) =>
      createWorkflowMaintenance({ connection, topology: declared, roundMs }),
  },
  'the result responder, waiting': {
    field: 'maxWaiting',
    give: ({ connection, topology: declared, client }, maxWaiting) =>
      createResultResponder({ connection, topology: declared, client, maxWaiting }),
    values: PRESENT,
  },
  'a fast clock, speed': { field: 'speed', give: (_, speed) => fastClock(new Date(), speed) },
  'a fast clock, start': { field: 'from', values: HOSTILE_TIMES, give: (_, from) => fastClock(from, 2) },
} satisfies Record<string, Entrance>);

describe('at the entrance', () => {
  test.each(ENTRANCES)('%s', async (_, { field, give, values = HOSTILE }) => {
    const jobs = await openJobs();
    for (const value of values) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no entrance's type takes all of them
      const given = async (): Promise<unknown> => give(jobs, value as never);
      const refusal: unknown = await given().then(
        () => new Error(`accepted ${String(value)}`),
        (error: unknown) => error,
      );
      const message = refusal instanceof Error ? refusal.message : '';
      // With the name of the field, and with what it must be.
      expect(message, String(value)).toContain(field.split('.').at(-1));
      expect(message, String(value)).toMatch(/must be|has a value|or null|Invalid/);
    }
    const [queue] = await jobs.client.queues();
    expect(queue).toMatchObject({ normal: 0, delayed: 0, running: 0 });
  });

  test.each([
    ['Task-Retries', ['99999999999999', '-1', '1e3', 'NaN']],
    ['Task-Max-Retries', ['99999999999999', '-1', '1.5']],
    ['Task-Soft-Time-Limit', ['0', '999999999', '-1', 'Infinity']],
    ['Task-Time-Limit', ['0', '0.0000001', '999999999', 'NaN']],
    ['Task-Expires', ['60', '0', '1795953707', '+275760-09-13', 'yesterday', '99999-01-01']],
    ['Task-Enqueued-At', ['60', '-1', '+275760-09-13']],
    ['Task-Not-Before', ['999999999999999', '-1', '1e99']],
    ['Task-Snoozes', ['99999999999999', '-1']],
    ['Task-Replay-Of', ['99999999999999999999', '-1']],
    ['Task-Parent-Id', ['a b', 'x'.repeat(1_000)]],
    ['Task-Workflow', ['x 99999999', 'no']],
  ])('the header %s: what it cannot mean counts as absent', async (name, values) => {
    const jobs = await openJobs();
    jobs.worker([addHandler]);
    const { names } = jobs.topology;
    const broker = jetstream(jobs.connection);
    for (const [index, value] of values.entries()) {
      const id = `t${index}`;
      const headers = newHeaders();
      headers.set(name, value);
      const subject = { queue: 'work', priority: 'normal', tenant: undefined, task: 'add', id } as const;
      await broker.publish(names.taskSubject(subject), '{"a":1,"b":2}', { headers });
      const record = await jobs.client.result(id);
      expect(record, `${name}: ${value}`).toMatchObject({ state: 'SUCCESS', retries: 0, result: { sum: 3 } });
    }
  });
});

test('an entry whose numbers are from a time without bounds is listed with its problem, does not run and can be removed', async () => {
  const jobs = await openJobs();
  const { connection, topology: declared } = jobs;
  const schedules = openSchedules({ connection, topology: declared, contracts: [add] });
  onTestFinished(() => schedules.close());
  const payload = { a: 1, b: 2 };
  const good = await schedules.add({ name: 'good', task: 'add', payload, every_ms: 60_000 });
  const { state: _, next: __, warnings: ___, ...stored } = good;
  const bad = { ...stored, name: 'bad', every_ms: Number.MAX_SAFE_INTEGER };
  const broker = jetstream(connection);
  const { names } = declared;
  await broker.publish(names.scheduleKey('entry.bad'), JSON.stringify(bad));
  await broker.publish(names.scheduleKey('entry.worse'), 'no JSON');
  const listed = await schedules.list();
  expect(listed.map(({ name, next }) => [name, next === null])).toEqual([
    ['bad', true],
    ['good', false],
    ['worse', true],
  ]);
  expect(listed[0]?.warnings.join()).toContain('every_ms');
  expect(listed[2]?.warnings).not.toEqual([]);
  await schedules.remove('bad');
  await schedules.remove('worse');
  expect((await schedules.list()).map(({ name }) => name)).toEqual(['good']);
});
