import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addDays, localDate, momentOfLocalTime, sliceWindow, startOfLocalDay } from './days.js';

const day = fc
  .date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));
const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Pacific/Auckland',
  'Pacific/Kiritimati',
];

test('days are added across months, years and leap days', () => {
  expect([addDays('2026-12-31', 1), addDays('2028-02-28', 1), addDays('2026-03-01', -1)]).toEqual([
    '2027-01-01',
    '2028-02-29',
    '2026-02-28',
  ]);
});

test('slices cover the window once, in order, none longer than asked', () => {
  fc.assert(
    fc.property(
      day,
      fc.integer({ min: 0, max: 400 }),
      fc.integer({ min: 1, max: 90 }),
      (since, span, maxDays) => {
        const until = addDays(since, span);
        const slices = sliceWindow({ since, until }, maxDays);
        expect(slices[0]?.since).toBe(since);
        expect(slices.at(-1)?.until).toBe(until);
        for (const [index, slice] of slices.entries()) {
          expect(slice.until <= addDays(slice.since, maxDays - 1)).toBe(true);
          const next = slices[index + 1];
          if (next) expect(next.since).toBe(addDays(slice.until, 1));
        }
      },
    ),
  );
});

describe('a local day', () => {
  test('begins at its midnight in every zone, also when clocks change', () => {
    fc.assert(
      fc.property(day, fc.constantFrom(...zones), (date, zone) => {
        const start = startOfLocalDay(date, zone);
        expect(localDate(start, zone)).toBe(date);
        expect(localDate(new Date(start.getTime() - 1_000), zone)).toBe(addDays(date, -1));
      }),
    );
  });

  test.each([
    ['2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00.000Z'],
    ['2026-03-30', 'Europe/Berlin', '2026-03-29T22:00:00.000Z'],
    ['2026-11-01', 'America/New_York', '2026-11-01T04:00:00.000Z'],
    ['2026-11-02', 'America/New_York', '2026-11-02T05:00:00.000Z'],
    // Midnights that no clock shows.
    ['2026-09-06', 'America/Santiago', '2026-09-06T04:00:00.000Z'],
    ['2026-03-29', 'Atlantic/Azores', '2026-03-29T01:00:00.000Z'],
    ['2026-03-08', 'America/Havana', '2026-03-08T05:00:00.000Z'],
    // A day that does not exist, and the one after.
    ['2011-12-30', 'Pacific/Apia', '2011-12-30T10:00:00.000Z'],
    ['2011-12-31', 'Pacific/Apia', '2011-12-30T10:00:00.000Z'],
  ])('%s in %s begins at %s', (date, zone, expected) => {
    expect(startOfLocalDay(date, zone).toISOString()).toBe(expected);
  });

  test('begins with the first moment that has its date, in every zone from 2020 to 2040', () => {
    const histories = new Set<string>();
    for (const zone of Intl.supportedValuesOf('timeZone')) {
      // Any two changes of the clocks are more than ten days apart.
      const moments = Array.from({ length: 768 }, (_, index) => Date.UTC(2020, 0, 1) + index * 10 * DAY_MS);
      const offsets = moments.map((moment) => clockOffset(moment, zone));
      // Zones that have had the same clocks since are checked once.
      const history = offsets.join(' ');
      if (histories.has(history)) continue;
      histories.add(history);
      for (const [index, start] of moments.entries()) {
        if (index + 1 === moments.length || offsets[index] === offsets[index + 1]) continue;
        let [before, after] = [start, start + 10 * DAY_MS];
        while (after - before > DAY_MS / 24) {
          const middle = (before + after) / 2;
          if (clockOffset(middle, zone) === offsets[index]) before = middle;
          else after = middle;
        }
        for (const at of [after - DAY_MS, after, after + DAY_MS]) {
          const date = new Date(at).toISOString().slice(0, 10);
          const first = startOfLocalDay(date, zone).getTime();
          expect([localDate(new Date(first), zone), zone]).toEqual([date, zone]);
          expect([localDate(new Date(first - 1_000), zone) < date, zone, date]).toEqual([true, zone, date]);
        }
      }
    }
    expect(histories.size).toBeGreaterThan(50);
  });

  test.each([
    ['2026-03-29', '02:30:00', 'Europe/Berlin', '2026-03-29T01:30:00.000Z'],
    ['2026-10-25', '02:30:00', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
    ['2026-11-24', '09:15:30', 'America/New_York', '2026-11-24T14:15:30.000Z'],
    ['2026-11-24', '09:15:30', 'UTC', '2026-11-24T09:15:30.000Z'],
  ])('%s %s in %s is %s', (date, time, zone, expected) => {
    expect(momentOfLocalTime(date, time, zone).toISOString()).toBe(expected);
  });
});

const DAY_MS = 86_400_000;
const clocks = new Map<string, Intl.DateTimeFormat>();

/** In milliseconds, by another form than the code under test reads. */
function clockOffset(moment: number, timeZone: string): number {
  let clock = clocks.get(timeZone);
  clock ??= new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  clocks.set(timeZone, clock);
  const [date = '', time = ''] = clock.format(Math.floor(moment / 1_000) * 1_000).split(', ');
  return (
    Date.parse(`${date.split('/').toReversed().join('-')}T${time}Z`) - Math.floor(moment / 1_000) * 1_000
  );
}
