import { expect, test } from 'vitest';
import {
  NO_SIGNALS,
  type Facts,
  type FailureFacts,
  type QueueFacts,
  type Signals,
  type WorkerFacts,
} from './facts.js';
import { findProblems } from './problems.js';
import { duration } from './words.js';

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
const failure = (facts: Partial<FailureFacts>): FailureFacts => ({
  task: 't',
  queue: 'sync',
  failed: 5,
  ended: 9,
  newest: { failed: 6, ended: 9, error: 'TypeError: no' },
  ...facts,
});
const signals = (facts: Partial<Signals>): Pick<Facts, 'signals'> => ({
  signals: { ...NO_SIGNALS, ...facts },
});
const verdictOf = (facts: Partial<Facts>): ReturnType<typeof findProblems> =>
  findProblems({
    now: NOW,
    databaseSilentMs: 0,
    brokerSilentMs: 0,
    historyBehindMs: 0,
    queues: [queue({})],
    workers: [worker({})],
    failures: [],
    signals: NO_SIGNALS,
    ...facts,
  });
const codesOf = (facts: Partial<Facts>): string[] => verdictOf(facts).problems.map(({ code }) => code);
const held = (n: number, name = 'w'): Pick<Facts, 'signals'> =>
  signals({ running: [{ worker: name, tenant_id: 1, n }] });
const putOff = signals({ put_off: [{ queue: 'sync', task: 'new', n: 2 }] });
const limited = (waiting: number): Pick<Facts, 'signals'> =>
  signals({ rates: [{ task: 't', limit: 1, perMs: 60_000, waiting }] });
const lineSince = (seconds: number): Pick<Facts, 'signals'> =>
  signals({ key_lines: [{ task: 't', limit: 'account', keys: 2, waiting: 9, since: ago(seconds) }] });
const away = (openedAt: string | null): Pick<Facts, 'signals'> =>
  signals({
    circuits: [
      {
        service: 'ads',
        key: 'meta',
        state: 'open',
        opened_at: openedAt,
        retry_at: openedAt,
        waiting: 3,
        error: '',
      },
    ],
  });
const letters = signals({ letters: { total: 1, tasks: [{ queue: 'sync', task: 't', n: 1 }] } });
const holderSince = (seconds: number): Pick<Facts, 'signals'> =>
  signals({ sole_holders: [{ queue: 'sync', tenant_id: 1, slots: 4, others: 1, since: ago(seconds) }] });

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
    { workers: [worker({ condition: 'unreachable' })], ...held(2) },
    ['worker_unreachable'],
  ],
  [
    'a lost worker whose tasks others hold by now',
    { workers: [worker({ condition: 'unreachable', running: 2 })], ...held(2, 'other') },
    [],
  ],
  [
    'a lost worker, before the queue that it has left alone',
    {
      workers: [worker({ condition: 'unreachable' })],
      queues: [queue({ low: 1, slots: 0 })],
      ...held(1),
    },
    ['worker_unreachable', 'no_worker'],
  ],
  ['a blocked worker', { workers: [worker({ condition: 'blocked', running: 1 })] }, ['worker_blocked']],
  ['no scheduler', signals({ is_led: false }), ['no_scheduler']],
  ['a task that fails', { failures: [failure({})] }, ['task_failing']],
  ['a task that fails now and then', { failures: [failure({ ended: 11 })] }, []],
  ['a task that failed once', { failures: [failure({ failed: 1, ended: 1 })] }, []],
  [
    'a task that has failed often and works again',
    { failures: [failure({ newest: { failed: 4, ended: 10, error: null } })] },
    [],
  ],
  ['a task that fails, and its letters', { failures: [failure({})], ...letters }, ['task_failing']],
  ['a new dead letter', letters, ['new_dead_letters']],
  [
    'a task that nobody knows',
    { ...putOff, workers: [worker({ contracts: ['t:1'] })] },
    ['no_worker_for_task'],
  ],
  [
    'a task that one of two knows',
    { ...putOff, workers: [worker({ contracts: ['t:1'] }), worker({ contracts: ['new:1'] })] },
    [],
  ],
  ['a worker that does not say what it knows', { ...putOff, workers: [worker({})] }, []],
  ['a task that nobody could know, for nobody is there', { ...putOff, workers: [] }, []],
  ['a limit with a long line', limited(2), ['rate_limited']],
  ['a limit without a line', limited(0), []],
  [
    'a limit with a short line',
    signals({ rates: [{ task: 't', limit: 10, perMs: 1_000, waiting: 99 }] }),
    [],
  ],
  ['a limit by key with a line that stays', lineSince(61), ['key_limited']],
  ['a limit by key with a line that has just begun', lineSince(59), []],
  ['a service that is away', away('2026-11-20T11:00:00.000Z'), ['circuit_open']],
  ['a service that is back', away(null), []],
  ['one tenant holds all slots', holderSince(4), ['slots_of_one_tenant']],
  ['one tenant has just got all slots', holderSince(0), []],
  ['the broker is slow', signals({ answer_ms: 501 }), ['broker_slow']],
  ['the history is behind', { historyBehindMs: 6_001 }, ['history_behind']],
  [
    'a broker that is silent gives no other advice',
    { brokerSilentMs: 10_001, ...signals({ is_led: false }) },
    ['broker_silent'],
  ],
  [
    'a database that is silent comes before the broker',
    { databaseSilentMs: 7_001, brokerSilentMs: 60_000 },
    ['database_silent'],
  ],
  ['no data yet', { brokerSilentMs: null }, ['not_sampled']],
])('%s', (_title, facts, codes) => {
  expect(codesOf(facts)).toEqual(codes);
});

test.each([{ brokerSilentMs: null }, { brokerSilentMs: 10_001 }, { databaseSilentMs: 7_001 }])(
  'old data are unknown, not green: %o',
  (facts) => {
    expect(verdictOf(facts).verdict).toBe('unknown');
  },
);

test.each([
  [400, '0 s'],
  [59_000, '59 s'],
  [60_000, '1 min'],
  [95_000, '1 min 35 s'],
  [7_260_000, '2 h 1 min'],
])('%d ms are %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
