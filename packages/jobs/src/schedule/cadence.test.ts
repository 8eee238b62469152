import { describe, expect, test } from 'vitest';
import { cadenceOf } from './cadence.js';

function ticks(cron: string, timeZone: string, from: string, count: number): string[] {
  const cadence = cadenceOf({ name: 'entry', cron, time_zone: timeZone });
  const times: string[] = [];
  for (let tick = cadence.next(Date.parse(from)); times.length < count; tick = cadence.next(tick))
    times.push(new Date(tick).toISOString().slice(0, 16));
  return times;
}

describe('daylight-saving time', () => {
  // In New York 02:00–03:00 does not happen on 2026-03-08, and 01:00–02:00 happens twice on 2026-11-01.
  test('what falls into the skipped hour runs right after it', () => {
    expect(ticks('30 2 * * *', 'America/New_York', '2026-03-07T06:00:00Z', 3)).toEqual([
      '2026-03-07T07:30',
      '2026-03-08T07:00',
      '2026-03-09T06:30',
    ]);
  });

  test('a fixed time in the repeated hour runs once', () => {
    expect(ticks('30 1 * * *', 'America/New_York', '2026-10-31T04:00:00Z', 3)).toEqual([
      '2026-10-31T05:30',
      '2026-11-01T05:30',
      '2026-11-02T06:30',
    ]);
  });

  test('what runs every so often goes on through both changes', () => {
    expect(ticks('0 * * * *', 'America/New_York', '2026-11-01T04:00:00Z', 3)).toEqual([
      '2026-11-01T05:00',
      '2026-11-01T06:00',
      '2026-11-01T07:00',
    ]);
    expect(ticks('*/30 * * * *', 'America/New_York', '2026-03-08T06:00:00Z', 3)).toEqual([
      '2026-03-08T06:30',
      '2026-03-08T07:00',
      '2026-03-08T07:30',
    ]);
  });
});

test('times of one expression that is shared are right in whatever order they are asked for', () => {
  const options = { name: 'entry', cron: '15 6 * * 1', time_zone: 'Europe/Berlin' };
  const [one, other] = [cadenceOf(options), cadenceOf(options)];
  const late = one.next(Date.parse('2026-07-01T00:00:00Z'));
  const early = other.next(Date.parse('2026-01-01T00:00:00Z'));
  expect(new Date(late).toISOString()).toBe('2026-07-06T04:15:00.000Z');
  expect(new Date(early).toISOString()).toBe('2026-01-05T05:15:00.000Z');
  expect(one.next(Date.parse('2026-07-01T00:00:00Z'))).toBe(late);
});

test.each([
  ['61 * * * *', 'UTC', 'cron expression "61 * * * *" is not valid'],
  ['* * *', 'UTC', 'cron expression "* * *" is not valid'],
  ['0 0 31 2 *', 'UTC', 'cron expression "0 0 31 2 *" never matches a date'],
  ['0 0 * * *', 'Europe/Nowhere', 'there is no time zone "Europe/Nowhere"'],
])('%s in %s is refused with the field and the reason', (cron, timeZone, message) => {
  expect(() => cadenceOf({ name: 'entry', cron, time_zone: timeZone })).toThrow(message);
});
