import { expect, test } from 'vitest';
import { findReasons, type WhyFacts, type WhyWorker } from './findings.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const worker = (facts: Partial<WhyWorker> = {}): WhyWorker => ({
  name: 'w',
  condition: 'ready',
  queues: ['sync'],
  contracts: ['t:1'],
  concurrency: 4,
  running: 0,
  ...facts,
});
const lane = { paused: false, delivered: 10, waiting: 0 };

const codesOf = (facts: Partial<WhyFacts>): string[] =>
  findReasons({
    now: NOW,
    task: 't',
    queue: 'sync',
    state: 'PENDING',
    worker: null,
    startedAt: null,
    finishedAt: null,
    lastError: null,
    dueAt: null,
    sequence: 11,
    lane,
    waitingBefore: 0,
    workers: [worker()],
    rate: null,
    keyWait: null,
    waitsFor: null,
    circuit: null,
    outPerS: 2,
    ...facts,
  }).map(({ code }) => code);

test.each<[string, Partial<WhyFacts>, string[]]>([
  ['it has ended', { state: 'FAILURE' }, ['ended']],
  ['it runs', { state: 'STARTED', worker: 'w' }, ['running']],
  ['its worker is gone', { state: 'STARTED', worker: 'gone' }, ['worker_lost']],
  [
    'its worker is cut off',
    { state: 'STARTED', worker: 'w', workers: [worker({ condition: 'unreachable' })] },
    ['worker_lost'],
  ],
  [
    'it blocks its worker',
    { state: 'STARTED', worker: 'w', workers: [worker({ condition: 'blocked' })] },
    ['workers_blocked'],
  ],
  ['delayed', { state: 'SCHEDULED', dueAt: '2026-11-20T13:00:00.000Z' }, ['delayed']],
  ['delayed, and then nobody would take it', { state: 'SCHEDULED', workers: [] }, ['delayed', 'no_worker']],
  [
    'waits for others of its key',
    {
      state: 'SCHEDULED',
      keyWait: { name: 'account', key: 'act_1', concurrency: 2, running: 2, waiting: 3 },
    },
    ['key_limited'],
  ],
  [
    'waits for an event',
    {
      state: 'SCHEDULED',
      waitsFor: { kind: 'event', name: 'approval', id: null, until: '2026-11-20T13:00:00.000Z', others: 1 },
    },
    ['waits_for_event'],
  ],
  [
    'waits for a task that it has called',
    { state: 'SCHEDULED', waitsFor: { kind: 'task', name: 'publish', id: 'call-1', until: null, others: 0 } },
    ['waits_for_task'],
  ],
  [
    'waits for a service that is away',
    {
      state: 'SCHEDULED',
      circuit: { service: 'ads', key: 'meta', state: 'open', retryAt: null, error: 'HTTP 503' },
    },
    ['circuit_open'],
  ],
  ['before a retry', { state: 'RETRY' }, ['back_off']],
  ['handed to a worker', { sequence: 9 }, ['held_by_worker']],
  [
    'handed to a worker that waits for a turn',
    { sequence: 9, rate: { limit: 1, perMs: 60_000, waiting: 3 } },
    ['held_by_worker', 'rate_limited'],
  ],
  ['paused', { lane: { ...lane, paused: true } }, ['queue_paused']],
  [
    'paused, and nobody serves it',
    { lane: { ...lane, paused: true }, workers: [] },
    ['queue_paused', 'no_worker'],
  ],
  ['nobody serves it', { workers: [worker({ queues: ['ml'] })] }, ['no_worker']],
  ['all are gone', { workers: [worker({ condition: 'unreachable' })] }, ['workers_unreachable']],
  ['all are blocked', { workers: [worker({ condition: 'blocked' })] }, ['workers_blocked']],
  ['nobody knows the task', { workers: [worker({ contracts: ['other:1'] })] }, ['no_worker_for_task']],
  [
    'an older worker does not say what it knows',
    { workers: [worker({ contracts: undefined })] },
    ['undetermined'],
  ],
  ['no slot is free', { workers: [worker({ running: 4 })] }, ['all_slots_busy']],
  [
    'others go first',
    { waitingBefore: 3, sequence: 20, lane: { ...lane, waiting: 50 } },
    ['lower_lane', 'behind'],
  ],
  ['nothing is known', { lane: null, sequence: null }, ['undetermined']],
])('%s', (_title, facts, codes) => {
  expect(codesOf(facts)).toEqual(codes);
});

test('who is behind others learns when its turn may come', () => {
  const [behind] = findReasons({
    now: NOW,
    task: 't',
    queue: 'sync',
    state: 'PENDING',
    worker: null,
    startedAt: null,
    finishedAt: null,
    lastError: null,
    dueAt: null,
    sequence: 31,
    lane: { ...lane, waiting: 100 },
    waitingBefore: 0,
    workers: [worker()],
    rate: null,
    keyWait: null,
    waitsFor: null,
    circuit: null,
    outPerS: 2,
  });
  expect(behind).toMatchObject({ code: 'behind', eta: '2026-11-20T12:00:10.000Z' });
});
