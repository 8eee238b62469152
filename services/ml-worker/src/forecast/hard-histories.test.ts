/** Histories that lead smoothing and decomposition astray. */
import { beforeAll, describe, expect, test } from 'vitest';
import { forecastSeries } from './forecast-series.js';
import { loadModels } from './mstl.js';
import { withoutOddLastDay } from './odd-last-day.js';
import { endsPaused } from './pause.js';
import { withoutRamp } from './ramp.js';

const WEEK = [86, 104, 106, 105, 103, 108, 88];
/** About 100 a day with the shape of a week and deviations that repeat after 23 days. */
const USUAL = Array.from({ length: 89 }, (_, day) => (WEEK[day % 7] ?? 0) + ((day * 5) % 23) * 2 - 23);
const month = (history: readonly number[]): number =>
  forecastSeries(history, 30).days.reduce((sum, { mean }) => sum + mean, 0);

beforeAll(() => loadModels());

describe('one odd day at the end', () => {
  test.each([0, 20, 400, 1_000, 100_000])('of %i does not move the month', (value) => {
    expect(month([...USUAL, value])).toBeGreaterThan(0.94 * 3_000);
    expect(month([...USUAL, value])).toBeLessThan(1.06 * 3_000);
  });

  test('is replaced by the usual value of its weekday, usual days and steps are not', () => {
    const replaced = withoutOddLastDay([...USUAL, 1_000]).at(-1) ?? 0;
    expect(Math.abs(replaced - (WEEK[89 % 7] ?? 0))).toBeLessThan(25);
    for (const tail of [[90], [140], [210, 190], [400, 1_000], [10, 12, 9], [0, 0]])
      expect(withoutOddLastDay([...USUAL, ...tail])).toEqual([...USUAL, ...tail]);
    for (let length = 1; length <= USUAL.length; length++)
      expect(withoutOddLastDay(USUAL.slice(0, length))).toEqual(USUAL.slice(0, length));
  });

  test('is not seen in series that mostly have nothing', () => {
    const sparse = Array.from({ length: 40 }, (_, day) => (day % 5 === 0 ? 1 : 0));
    expect(withoutOddLastDay([...sparse, 3])).toEqual([...sparse, 3]);
  });
});

describe('a tail of zeros', () => {
  test.each([3, 10, 40])('of %i days is a pause', (days) => {
    const { model, days: ahead } = forecastSeries([...USUAL, ...Array.from({ length: days }, () => 0)], 30);
    expect(model).toBe('paused');
    expect(ahead.every(({ mean, upper95 }) => mean === 0 && upper95 === 0)).toBe(true);
  });

  const resting = USUAL.map((value, day) => (day % 7 < 4 ? value : 0));
  test.each([
    ['two days', [...USUAL, 0, 0], false],
    ['the rest of every week', resting.slice(0, 84), false],
    ['more than the rest of every week', [...resting.slice(0, 84), 0, 0, 0, 0, 0], true],
    ['a series of few conversions', USUAL.map((_value, day) => (day % 6 === 0 ? 1 : 0)), false],
    ['a history of nothing', [0, 0, 0, 0], false],
  ])('%s', (_name, history, paused) => expect(endsPaused(history)).toBe(paused));
});

describe('a launch', () => {
  test.each([
    ['8 days, five of them a ramp', 8, 5, 0.12],
    // The last week alone is 43 % below the level.
    ['8 days, seven of them a ramp', 8, 7, 0.22],
    ['13 days, seven of them a ramp', 13, 7, 0.12],
    ['20 days, ten of them a ramp', 20, 10, 0.12],
  ])('of %s goes on at the level that it has reached', (_name, length, ramp, within) => {
    const history = USUAL.slice(0, length).map((value, day) => value * Math.min(1, (day + 1) / ramp));
    expect(Math.abs(month(history) / 3_000 - 1)).toBeLessThan(within);
  });

  test('is not seen in usual days', () => {
    for (let length = 1; length < 28; length++)
      expect(withoutRamp(USUAL.slice(30, 30 + length))).toEqual(USUAL.slice(30, 30 + length));
  });
});

test.each([9, 60])('%i days that are all the same have an interval around them', (days) => {
  const [day] = forecastSeries(
    Array.from({ length: days }, () => 10),
    1,
  ).days;
  expect(day?.mean).toBeCloseTo(10, 9);
  expect(day?.lower95).toBeLessThan(9.9);
  expect(day?.upper95).toBeGreaterThan(10.1);
});
