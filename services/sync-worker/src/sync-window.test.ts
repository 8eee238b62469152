import { expect, test } from 'vitest';
import { syncWindow } from './sync-window.js';

const now = new Date('2026-11-24T23:30:00Z');

test('the first sync reaches over the attribution window, in days of the account', () => {
  const fresh = { lastSyncedAt: null, attributedAt: null };
  expect(syncWindow({ platform: 'meta', timeZone: 'UTC', ...fresh }, now)).toEqual({
    since: '2026-10-27',
    until: '2026-11-24',
    isWhole: true,
  });
  expect(syncWindow({ platform: 'meta', timeZone: 'Asia/Dubai', ...fresh }, now)).toMatchObject({
    since: '2026-10-28',
    until: '2026-11-25',
  });
});

test.each([
  ['meta', '2026-11-17', '2026-10-27'],
  ['google', '2026-11-17', '2026-10-25'],
  ['tiktok', '2026-11-19', '2026-10-27'],
  ['snapchat', '2026-11-19', '2026-10-27'],
] as const)(
  'later ones read again what %s restates soon, and all of it once a day',
  (platform, since, whole) => {
    const lastSyncedAt = new Date('2026-11-24T06:00:00Z');
    const account = { platform, timeZone: 'UTC', lastSyncedAt };
    expect(syncWindow({ ...account, attributedAt: lastSyncedAt }, now)).toEqual({
      since,
      until: '2026-11-24',
      isWhole: false,
    });
    const yesterday = new Date('2026-11-23T06:00:00Z');
    expect(syncWindow({ ...account, attributedAt: yesterday }, now)).toEqual({
      since: whole,
      until: '2026-11-24',
      isWhole: true,
    });
  },
);

test('an account that was not synced for months is read from where it was left', () => {
  const lastSyncedAt = new Date('2026-08-01T06:00:00Z');
  const account = { platform: 'meta', timeZone: 'UTC', lastSyncedAt, attributedAt: lastSyncedAt } as const;
  expect(syncWindow(account, now).since).toBe('2026-07-25');
});
