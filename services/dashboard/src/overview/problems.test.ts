import { expect, test } from 'vitest';
import { duration, findProblems, type Facts, type QueueFacts, type WorkerFacts } from './problems.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const ago = (seconds: number): string => new Date(NOW.getTime() - seconds * 1_000).toISOString();

const queue = (facts: Partial<QueueFacts>): QueueFacts => ({
  queue: 'sync',
  high: 0,
  normal: 0,
  low: 0,
  delayed: 0,
  running: 0,
  paused: false,
  oldest_at: null,
  slots: 4,
  slots_used: 0,
  in_per_s: 0,
  out_per_s: 1,
  ...facts,
});
const worker = (facts: Partial<WorkerFacts>): WorkerFacts => ({
  name: 'w',
  condition: 'ready',
  queues: ['sync'],
  running: 0,
  at: ago(1),
  ...facts,
});
const codesOf = (facts: Partial<Facts>): string[] =>
  findProblems({
    now: NOW,
    sampledAt: NOW,
    historyBehindMs: 0,
    queues: [queue({})],
    workers: [worker({})],
    schedulers: 1,
    failures: [],
    ...facts,
  }).problems.map(({ code }) => code);

test.each<[string, Partial<Facts>, string[]]>([
  ['all is well', {}, []],
  ['delayed tasks wait for their time alone', { queues: [queue({ delayed: 9, slots: 0 })] }, []],
  ['a backlog that moves', { queues: [queue({ normal: 9, oldest_at: ago(20) })] }, []],
  ['nobody serves the queue', { queues: [queue({ low: 1, slots: 0 })] }, ['no_worker']],
  [
    'paused, which comes before the rest',
    { queues: [queue({ high: 1, paused: true, slots: 0 })] },
    ['paused_with_backlog'],
  ],
  ['paused and empty', { queues: [queue({ paused: true })] }, []],
  ['nothing finishes', { queues: [queue({ normal: 1, oldest_at: ago(61), out_per_s: 0 })] }, ['not_moving']],
  [
    'nothing finishes, but the task has just come',
    { queues: [queue({ normal: 1, oldest_at: ago(5), out_per_s: 0 })] },
    [],
  ],
  ['waiting too long', { queues: [queue({ normal: 1, oldest_at: ago(301) })] }, ['waiting_too_long']],
  [
    'a lost worker with tasks',
    { workers: [worker({ condition: 'unreachable', running: 2 })] },
    ['worker_unreachable'],
  ],
  ['a lost worker that had nothing', { workers: [worker({ condition: 'unreachable' })] }, []],
  ['a blocked worker', { workers: [worker({ condition: 'blocked', running: 1 })] }, ['worker_blocked']],
  ['no scheduler', { schedulers: 0 }, ['no_scheduler']],
  ['a task that fails', { failures: [{ task: 't', queue: 'sync', failed: 5, ended: 9 }] }, ['task_failing']],
  ['a task that fails now and then', { failures: [{ task: 't', queue: 'sync', failed: 5, ended: 11 }] }, []],
  ['a task that failed once', { failures: [{ task: 't', queue: 'sync', failed: 1, ended: 1 }] }, []],
  ['the history is behind', { historyBehindMs: 30_000 }, ['history_behind']],
  ['old data give no other advice', { sampledAt: new Date(ago(31)), schedulers: 0 }, ['data_stale']],
  ['no data', { sampledAt: null }, ['data_stale']],
])('%s', (_title, facts, codes) => {
  expect(codesOf(facts)).toEqual(codes);
});

test('old data are unknown, not green', () => {
  expect(
    findProblems({
      now: NOW,
      sampledAt: null,
      historyBehindMs: 0,
      queues: [],
      workers: [],
      schedulers: 1,
      failures: [],
    }).verdict,
  ).toBe('unknown');
});

test.each([
  [400, '0 s'],
  [59_000, '59 s'],
  [60_000, '1 min'],
  [95_000, '1 min 35 s'],
  [7_260_000, '2 h 1 min'],
])('%d ms are %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
