import { expect, test } from 'vitest';
import { untilQuietEnds } from './quiet-hours.js';

const at = (text: string): Date => new Date(text);
const night = { from: '21:00', until: '08:00' };
const HOUR = 3_600_000;

test.each([
  // Zurich is an hour ahead of UTC in winter: 22:30 there, nine and a half hours before eight.
  ['over midnight, in the evening', night, '2026-11-20T21:30:00Z', 9.5 * HOUR],
  ['over midnight, in the morning', night, '2026-11-21T06:59:30Z', 30_000],
  ['at their end', night, '2026-11-21T07:00:00Z', 0],
  ['by day', night, '2026-11-20T12:00:00Z', 0],
  ['within a day', { from: '12:00', until: '14:00' }, '2026-11-20T12:15:00Z', 0.75 * HOUR],
  ['that are none', undefined, '2026-11-20T23:00:00Z', 0],
  ['that nobody can read', { from: 'late' }, '2026-11-20T23:00:00Z', 0],
  ['of no length', { from: '08:00', until: '08:00' }, '2026-11-20T07:00:00Z', 0],
])('quiet hours %s', (_name, settings, now, expected) => {
  expect(untilQuietEnds(settings, 'Europe/Zurich', at(now))).toBe(expected);
});
