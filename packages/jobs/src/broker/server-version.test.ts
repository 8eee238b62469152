import { describe, expect, test } from 'vitest';
import { isAtLeast } from './server-version.js';

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
