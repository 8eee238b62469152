import { expect, test } from 'vitest';
import { retryAfterMs } from './retry-after.js';

const NOW = new Date('2026-11-20T12:00:00Z');

test.each([
  [undefined, undefined],
  ['0', 0],
  ['120', 120_000],
  [' 120 ', 120_000],
  ['999999999', 86_400_000],
  ['Fri, 20 Nov 2026 12:00:30 GMT', 30_000],
  ['Fri, 20 Nov 2026 11:59:00 GMT', 0],
  ['Sat, 20 Nov 2027 12:00:00 GMT', 86_400_000],
  ['soon', undefined],
  ['', undefined],
])('Retry-After %j is %j ms', (header, expected) => {
  expect(retryAfterMs(header, NOW)).toBe(expected);
});
