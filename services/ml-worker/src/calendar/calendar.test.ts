/** The year and its special days in forecasts: made-up shops, whose truth is known. */
import { addDays } from '@stratum/connectors/values';
import { beforeAll, describe, expect, test } from 'vitest';
import { forecastSeries } from '../forecast/forecast-series.js';
import { loadModels } from '../forecast/mstl.js';
import { helpfulCalendar } from './calendar.js';
import { countryOfZone, specialDays } from './special-days.js';

beforeAll(() => loadModels());

describe('special days', () => {
  test.each([
    ['Europe/Berlin', 'DE'],
    ['America/Los_Angeles', 'US'],
    ['Asia/Calcutta', 'IN'],
    ['Asia/Kolkata', 'IN'],
    ['US/Eastern', 'US'],
    ['Europe/Kyiv', 'UA'],
    ['America/Buenos_Aires', 'AR'],
    ['UTC', undefined],
    ['Etc/GMT+3', undefined],
  ])('of the zone %s are those of %s', (zone, country) => expect(countryOfZone(zone)).toBe(country));

  test.each([
    ['US', '2026-11-26', true],
    ['US', '2026-07-03', true],
    ['DE', '2026-11-26', false],
    ['DE', '2026-10-03', true],
    ['DE', '2027-03-29', true],
    ['GB', '2026-12-28', true],
    ['IN', '2027-01-26', true],
    [undefined, '2027-01-26', false],
  ])('of %s: %s is a holiday: %s', (country, date, isHoliday) => {
    const names = specialDays(country, [2026, 2027]).get(date) ?? [];
    expect(names.some((name) => !/^Black Friday|eve$|after$/.test(name))).toBe(isHoliday);
  });

  test.each([
    [2023, '2023-11-24'],
    [2024, '2024-11-29'],
    [2025, '2025-11-28'],
    [2026, '2026-11-27'],
  ])('Black Friday of %i is %s everywhere', (year, date) => {
    for (const country of ['US', 'DE', undefined])
      expect(specialDays(country, [year, year]).get(date)).toContain('Black Friday 0');
  });
});

/** The same numbers in every run (mulberry32). */
function chanceFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const WEEK = [0.86, 1.04, 1.06, 1.05, 1.03, 1.08, 0.88];
const BLACK_FRIDAYS = new Set(['2024-11-29', '2025-11-28', '2026-11-27']);

/** What a day is beside the usual. */
type Course = (date: string) => number;
const blackFriday: Course = (date) => (BLACK_FRIDAYS.has(date) ? 3 : 1);
const closedOn =
  (...days: string[]): Course =>
  (date) =>
    days.includes(date.slice(5)) ? 0.2 : 1;
const summer: Course = (date) =>
  1 + 0.35 * Math.sin((2 * Math.PI * (Date.parse(date) / 86_400_000 - 100)) / 365.25);

function shop(
  course: Course,
  { until, days, seed }: { until: string; days: number; seed: number },
): number[] {
  const chance = chanceFrom(seed);
  return Array.from({ length: days }, (_, day) => {
    const date = addDays(until, day + 1 - days);
    return 200 * (WEEK[day % 7] ?? 1) * course(date) * (0.94 + 0.12 * chance());
  });
}

test.each<[string, Course, { lastDate: string; timeZone: string }, { date: string; share: number }]>([
  [
    'Black Friday',
    blackFriday,
    { lastDate: '2026-11-10', timeZone: 'Europe/Berlin' },
    { date: '2026-11-27', share: 3 },
  ],
  [
    'Black Friday of an account in no country',
    blackFriday,
    { lastDate: '2026-11-10', timeZone: 'UTC' },
    { date: '2026-11-27', share: 3 },
  ],
  [
    "Germany's day of unity",
    closedOn('10-03', '05-01', '12-25', '12-26', '01-01'),
    { lastDate: '2026-09-20', timeZone: 'Europe/Berlin' },
    { date: '2026-10-03', share: 0.2 },
  ],
  [
    'Independence Day',
    closedOn('07-04', '12-25', '01-01'),
    { lastDate: '2026-06-20', timeZone: 'America/Chicago' },
    { date: '2026-07-04', share: 0.2 },
  ],
])('%s comes again', (_name, course, place, { date, share }) => {
  const values = shop(course, { until: place.lastDate, days: 800, seed: 3 });
  const recent = values.slice(-180);
  const calendar = helpfulCalendar(values, { ...place, horizon: 30 });
  expect(calendar?.kind).toBeDefined();
  const ahead = Math.round((Date.parse(date) - Date.parse(place.lastDate)) / 86_400_000) - 1;
  const usual = 200 * (WEEK[(800 + ahead) % 7] ?? 1);
  const off = (days: readonly { mean: number }[]): number =>
    Math.abs((days[ahead]?.mean ?? 0) / (share * usual) - 1);
  expect(off(forecastSeries(recent, 30, calendar).days)).toBeLessThan(0.25);
  expect(off(forecastSeries(recent, 30).days)).toBeGreaterThan(0.5);
});

test('the course of the year turns where it turned before', () => {
  const place = { lastDate: '2026-10-20', timeZone: 'Europe/Berlin' };
  const all = shop(summer, { until: addDays(place.lastDate, 30), days: 1_030, seed: 5 });
  const [values, truth] = [all.slice(0, -30), all.slice(-30)];
  const calendar = helpfulCalendar(values, { ...place, horizon: 30 });
  expect(calendar?.kind).toBe('year');
  const off = (days: readonly { mean: number }[]): number => {
    const total = truth.reduce((a, b) => a + b, 0);
    return Math.abs(days.reduce((sum, { mean }) => sum + mean, 0) / total - 1);
  };
  const withYear = off(forecastSeries(values.slice(-180), 30, calendar).days);
  expect(withYear).toBeLessThan(0.05);
  expect(withYear).toBeLessThan(off(forecastSeries(values.slice(-180), 30).days));
});

describe('no calendar', () => {
  const place = { lastDate: '2026-11-10', timeZone: 'Europe/Berlin', horizon: 30 };
  const make = (course: Course, days: number, seed: number): number[] =>
    shop(course, { until: place.lastDate, days, seed });

  test('is made of chance', () => {
    const found = Array.from({ length: 8 }, (_, seed) =>
      helpfulCalendar(
        make(() => 1, 800, seed),
        place,
      ),
    );
    expect(found.filter((calendar) => calendar !== undefined)).toEqual([]);
  });

  test('is seen in less than two years, nor in figures that are mostly nothing', () => {
    expect(helpfulCalendar(make(blackFriday, 729, 3), place)).toBeUndefined();
    expect(helpfulCalendar(make(blackFriday, 730, 3), place)).toBeDefined();
    const sparse = make(blackFriday, 800, 3).map((value, day) => (day % 2 === 0 ? value : 0));
    expect(helpfulCalendar(sparse, place)).toBeUndefined();
  });
});

test('a test of the past knows nothing of the days that it forecasts', () => {
  const place = { lastDate: '2026-11-10', timeZone: 'Europe/Berlin', horizon: 30 };
  const values = shop(blackFriday, { until: place.lastDate, days: 800, seed: 3 });
  const changed = values.map((value, day) => (day >= 800 - 60 ? value * 1.1 : value));
  const [calendar, other] = [values, changed].map((each) => helpfulCalendar(each, place));
  expect(calendar).toBeDefined();
  expect(other?.factors(60, 100, 28)).toEqual(calendar?.factors(60, 100, 28));
});
