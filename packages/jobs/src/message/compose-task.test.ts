import { describe, expect, test } from 'vitest';
import { TaskHeader } from '../wire/headers.js';
import { namesFor } from '../wire/names.js';
import { composeNextAttempt, composeTask, type EnqueueOptions } from './compose-task.js';

const names = namesFor();
const target = { queue: 'sync', task: 'pull', priority: 'normal', tenant: '7' } as const;
const now = new Date('2026-11-24T12:00:00.000Z');
const compose = (options: EnqueueOptions): ReturnType<typeof composeTask> =>
  composeTask(names, target, { a: 1 }, options, { now });

describe('a task that runs now', () => {
  test('is its payload on its subject', () => {
    const message = compose({ id: 'one' });
    expect(message).toMatchObject({
      id: 'one',
      subject: 'stratum.tasks.sync.normal.7.pull.one',
      body: '{"a":1}',
    });
    expect(message.headers.get('Nats-Msg-Id')).toBe('one');
  });

  test('gets an id of its own when none is given', () => {
    expect(compose({}).id).not.toBe(compose({}).id);
  });

  test('carries the requested options', () => {
    const { headers, subject } = compose({
      priority: 'high',
      tenant: 9,
      maxRetries: 0,
      softTimeLimitMs: 1_500,
      timeLimitMs: 2_000,
      expires: new Date('2026-11-24T13:00:00Z'),
    });
    expect(subject).toContain('.high.9.');
    expect(headers.get(TaskHeader.MaxRetries)).toBe('0');
    expect(headers.get(TaskHeader.SoftTimeLimit)).toBe('1.5');
    expect(headers.get(TaskHeader.TimeLimit)).toBe('2');
    expect(headers.get(TaskHeader.Expires)).toBe('2026-11-24T13:00:00.000Z');
  });
});

describe('a task that runs later', () => {
  test.each([
    ['a delay', { delayMs: 60_000 }],
    ['a time', { eta: new Date('2026-11-24T12:01:00Z') }],
  ])('waits on its delayed subject: %s', (_label, options) => {
    const { subject, headers } = compose({ id: 'one', ...options });
    expect(subject).toBe('stratum.delayed.sync.one');
    expect(headers.get('Nats-Schedule')).toBe('@at 2026-11-24T12:00:59.700Z');
    expect(headers.get('Nats-Schedule-Target')).toBe('stratum.tasks.sync.normal.7.pull.one');
  });

  test('is handed over a little early, for the worker to keep until its very time', () => {
    const { headers } = compose({ delayMs: 60_000 });
    expect(headers.get(TaskHeader.NotBefore)).toBe(String(now.getTime() + 60_000));
    const soon = compose({ delayMs: 100 });
    expect(soon.subject).toContain('stratum.tasks.');
    expect(soon.headers.get(TaskHeader.NotBefore)).toBe(String(now.getTime() + 100));
  });

  test('a time that has passed is now', () => {
    expect(compose({ eta: new Date('2020-01-01T00:00:00Z') }).subject).toContain('stratum.tasks.');
    expect(compose({ delayMs: 0 }).subject).toContain('stratum.tasks.');
  });
});

test('a retry counts itself, keeps its headers, and is the same message when published twice', () => {
  const { headers } = compose({ id: 'one', maxRetries: 5 });
  const subject = { queue: 'sync', priority: 'normal', tenant: '7', task: 'pull', id: 'one' } as const;
  const attempt = {
    retries: 2,
    snoozes: 0,
    history: undefined,
    startAt: now,
    now,
    enqueuedAt: now.toISOString(),
    headers,
  };
  const [first, second] = [
    composeNextAttempt(names, subject, attempt),
    composeNextAttempt(names, subject, attempt),
  ];
  expect(first.headers.get(TaskHeader.Retries)).toBe('2');
  expect(first.headers.get(TaskHeader.MaxRetries)).toBe('5');
  expect(first.headers.get('Nats-Msg-Id')).toBe(second.headers.get('Nats-Msg-Id'));
  expect(first.headers.get('Nats-Msg-Id')).not.toBe(headers.get('Nats-Msg-Id'));
});

test.each<[EnqueueOptions, RegExp]>([
  [{ id: 'no dots.please' }, /^id is /],
  [{ tenant: '' }, /^tenant is /],
  [{ delayMs: -1 }, /^delayMs is -1/],
  [{ delayMs: 1, eta: now }, /^delayMs and eta were both given/],
  [{ eta: new Date('nonsense') }, /^eta is no valid time; it must be a time from 1970 to 2200/],
  [{ expires: new Date('nonsense') }, /^expires is no valid time; it must be a time from 1970 to 2200/],
  [{ maxRetries: -1 }, /^maxRetries is -1/],
  [{ softTimeLimitMs: 0 }, /^softTimeLimitMs is 0/],
  [{ timeLimitMs: Number.POSITIVE_INFINITY }, /^timeLimitMs is Infinity/],
])('the options %j are refused by name', (options, message) => {
  expect(() => compose(options)).toThrow(message);
});
