import { expect, test } from 'vitest';
import { count, duration, integer, rateLimit, time } from './value-types.js';

test.each([
  ['duration', duration, ['1e16', '-1', '9999999999d', 'Infinity', '']],
  ['number of items', count, ['0', '-1', '100001', '1e3', '99999999999999999999']],
  ['bounded whole number', integer(1, 100), ['0', '101', '1.5', 'NaN']],
  ['rate', rateLimit, ['0/s', '1e9/s', '10/9999999999d', '99999999999/s']],
  ['time', time, ['+275760-09-13', '1969-01-01', 'never']],
])('an unusable %s is refused', (_, type, words) => {
  for (const word of words) expect(() => type.parse(word), word).toThrow(/^Give /);
});
