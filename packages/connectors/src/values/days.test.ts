import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addDays, localDate, sliceWindow, startOfLocalDay } from './days.js';

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
  ])('%s in %s begins at %s', (date, zone, expected) => {
    expect(startOfLocalDay(date, zone).toISOString()).toBe(expected);
  });
});
