import { expect, test } from 'vitest';
import { fingerprintOf } from './fingerprint.js';

const error = (message: string, frames: readonly string[]): Parameters<typeof fingerprintOf>[1] => ({
  type: 'Error',
  message,
  stack: [`Error: ${message}`, ...frames.map((frame) => `    at ${frame}`)].join('\n'),
  retryable: false,
});
const OWN = ['sync (/app/sync.ts:12:9)', 'async Attempt.run (/app/attempt.ts:40:5)'] as const;

test('an error is of one group, whatever its numbers, lines and frames of Node itself', () => {
  const [first, second] = OWN;
  const group = fingerprintOf('sync', error('Account 17 has expired', OWN));
  for (const frames of [
    [first, 'process.processTicksAndRejections (node:internal/process/task_queues:103:5)', second],
    [
      first,
      'runNextTicks (node:internal/process/task_queues:65:5)',
      'listOnTimeout (node:internal/timers:567:9)',
      'process.processTimers (node:internal/timers:541:7)',
      second,
    ],
    ['sync (/app/sync.ts:14:1)', second],
  ])
    expect(fingerprintOf('sync', error('Account 4471 has expired', frames))).toBe(group);
});

test('another task, message or place is another group', () => {
  const group = fingerprintOf('sync', error('Account 17 has expired', OWN));
  expect(fingerprintOf('rules', error('Account 17 has expired', OWN))).not.toBe(group);
  expect(fingerprintOf('sync', error('Account 17 is closed', OWN))).not.toBe(group);
  expect(fingerprintOf('sync', error('Account 17 has expired', OWN.slice(1)))).not.toBe(group);
});
