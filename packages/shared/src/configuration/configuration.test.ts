import { describe, expect, test } from 'vitest';
import { loadConfiguration } from './configuration.js';
import { ConfigurationError } from './settings.js';

const failureOf = (
  keys: Parameters<typeof loadConfiguration>[0],
  environment: NodeJS.ProcessEnv,
): ConfigurationError => {
  try {
    loadConfiguration(keys, environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
  }
  throw new Error('The configuration was accepted.');
};

test('everything has the default of the description', () => {
  expect(
    loadConfiguration(
      [
        'NATS_URL',
        'STRATUM_PREFIX',
        'WORKER_CONCURRENCY',
        'TASK_TIME_LIMIT',
        'TASK_SOFT_TIME_LIMIT',
        'TASK_MAX_RETRIES',
      ],
      {},
    ),
  ).toEqual({
    NATS_URL: 'nats://127.0.0.1:4222',
    STRATUM_PREFIX: 'stratum',
    WORKER_CONCURRENCY: 4,
    TASK_TIME_LIMIT: 600_000,
    TASK_SOFT_TIME_LIMIT: 540_000,
    TASK_MAX_RETRIES: 3,
  });
});

describe('errors', () => {
  test('are listed together, each with its variable', () => {
    const { problems } = failureOf(['DATABASE_URL', 'WORKER_CONCURRENCY', 'STRATUM_PREFIX'], {
      WORKER_CONCURRENCY: 'many',
      STRATUM_PREFIX: 'a.b',
    });
    expect(problems.map((problem) => problem.split(' ', 1)[0])).toEqual([
      'STRATUM_PREFIX',
      'DATABASE_URL',
      'WORKER_CONCURRENCY',
    ]);
    expect(problems[1]).toContain('is not set');
  });

  test('never repeat a value', () => {
    const secret = 'hunter2-not-a-key';
    const { message } = failureOf(['STRATUM_CREDENTIALS_KEY', 'DATABASE_URL'], {
      STRATUM_CREDENTIALS_KEY: secret,
      DATABASE_URL: secret,
    });
    expect(message).toContain('STRATUM_CREDENTIALS_KEY');
    expect(message).not.toContain(secret);
  });
});

test.each([
  ['STRATUM_REPLICAS', '6', 'must be a whole number from 1 to 5'],
  ['STRATUM_REPLICAS', '1.5', 'must be a whole number from 1 to 5'],
  ['STRATUM_REPLICAS', ' ', 'must be a whole number from 1 to 5'],
  ['RESULT_EXPIRES', '0', 'must be a whole number from 1 to'],
  ['SCHEDULE_CLOCK_SPEED', '0.5', 'must be a number from 1 to 100000'],
  ['SCHEDULE_CLOCK_FROM', 'yesterday', 'must be a time such as'],
  ['SCHEDULE_CLOCK_FROM', '2026-13-01T00:00:00Z', 'must be a time such as'],
  ['NATS_URL', 'http://127.0.0.1', 'must be a URL such as nats://127.0.0.1:4222'],
  ['API_PUBLIC_URL', 'api.example.com', 'must be a URL such as https://api.example.com'],
  ['LOG_LEVEL', 'loud', 'must be one of trace, debug'],
  ['METRICS_PORT', '9200-9100', 'must be a port, or a range such as 9100-9199'],
  ['HISTORY_RETENTION_DAYS', '7', 'must be 0, for ever, or at least 30'],
] as const)('%s=%j: %s', (key, value, problem) => {
  expect(failureOf([key], { [key]: value }).problems[0]).toContain(`${key} ${problem}`);
});

test.each(['sync', 'sync=0', 'sync=65', 'mail=2', 'sync=2,sync=3', 'sync=4/3', 'sync=1.5', 'sync=2;rules=2'])(
  'STRATUM_QUEUE_SHARDS=%j is refused, with an example',
  (text) => {
    const { problems } = failureOf(['STRATUM_QUEUE_SHARDS'], { STRATUM_QUEUE_SHARDS: text });
    expect(problems[0]).toContain('must name each queue once with 1 to 64 shards, such as sync=4,rules=2');
  },
);

test('shards of queues are read with those to be emptied', () => {
  const { STRATUM_QUEUE_SHARDS: shards } = loadConfiguration(['STRATUM_QUEUE_SHARDS'], {
    STRATUM_QUEUE_SHARDS: 'sync=4, rules=2/3,ml=1/2,cdp=1',
  });
  expect(Object.fromEntries(shards)).toEqual({
    sync: { shards: 4, drain: 4 },
    rules: { shards: 2, drain: 3 },
    ml: { shards: 1, drain: 2 },
    cdp: { shards: 1, drain: 0 },
  });
});

test('a setting without a value or a default is absent', () => {
  expect(
    loadConfiguration(['METRICS_PORT', 'API_PUBLIC_URL', 'SCHEDULE_CLOCK_SPEED'], {
      API_PUBLIC_URL: 'https://api.example.com/',
      SCHEDULE_CLOCK_SPEED: '1.5',
    }),
  ).toEqual({ API_PUBLIC_URL: 'https://api.example.com', SCHEDULE_CLOCK_SPEED: 1.5 });
});

test('an empty variable counts as unset, and only requested settings are checked', () => {
  expect(loadConfiguration(['LOG_LEVEL'], { LOG_LEVEL: '', WORKER_CONCURRENCY: 'nonsense' })).toEqual({
    LOG_LEVEL: 'info',
  });
});
