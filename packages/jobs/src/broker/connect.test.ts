import { describe, expect, test } from 'vitest';
import { connectToNats, isAtLeast } from './connect.js';

describe('the version of a server', () => {
  test.each(['2.12.6', '2.12.10', '2.15.1', '3.0.0', 'v2.12.6', '2.13.0-RC.1', '2.12.6+build.7'])(
    '%s is enough',
    (version) => {
      expect(isAtLeast(version, '2.12.6')).toBe(true);
    },
  );

  test.each([
    '2.12.5',
    '2.12.0',
    '2.12.6-RC.1',
    '2.12.6-beta+build',
    '2.11.99',
    '2.9.10',
    '1.99.99',
    '2.12',
    'x2.12.6',
    'unknown',
    '',
  ])('%s is not', (version) => {
    expect(isAtLeast(version, '2.12.6')).toBe(false);
  });
});

describe('a connection that fails', () => {
  test('names the address and never the password', async () => {
    const error: unknown = await connectToNats({
      servers: 'nats://user:hunter2@127.0.0.1:1',
      name: 'test',
      timeoutMs: 1_000,
    }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'connection_failed' });
    expect(String(error)).toContain('127.0.0.1:1');
    expect(String(error)).not.toContain('hunter2');
  });

  test('says which credentials file is missing', async () => {
    await expect(
      connectToNats({ servers: 'nats://127.0.0.1:1', name: 'test', credsFile: '/nowhere/app.creds' }),
    ).rejects.toThrow('/nowhere/app.creds');
  });
});
