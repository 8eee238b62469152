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

test('an empty variable counts as unset, and only requested settings are checked', () => {
  expect(loadConfiguration(['LOG_LEVEL'], { LOG_LEVEL: '', WORKER_CONCURRENCY: 'nonsense' })).toEqual({
    LOG_LEVEL: 'info',
  });
});
