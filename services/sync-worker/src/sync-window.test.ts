import { expect, test } from 'vitest';
import { syncWindow } from './sync-window.js';

const now = new Date('2026-11-24T23:30:00Z');

test('the first sync reaches 28 days back, in days of the account', () => {
  expect(syncWindow({ platform: 'meta', timeZone: 'UTC', lastSyncedAt: null }, now)).toEqual({
    since: '2026-10-27',
    until: '2026-11-24',
  });
  expect(syncWindow({ platform: 'meta', timeZone: 'Asia/Dubai', lastSyncedAt: null }, now)).toEqual({
    since: '2026-10-28',
    until: '2026-11-25',
  });
});

test.each([
  ['meta', '2026-11-16'],
  ['google', '2026-11-16'],
  ['tiktok', '2026-11-18'],
  ['snapchat', '2026-11-18'],
] as const)('later ones read again what %s may restate', (platform, since) => {
  const lastSyncedAt = new Date('2026-11-23T06:00:00Z');
  expect(syncWindow({ platform, timeZone: 'UTC', lastSyncedAt }, now)).toEqual({
    since,
    until: '2026-11-24',
  });
});
