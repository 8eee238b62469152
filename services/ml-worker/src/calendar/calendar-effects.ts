/** How a year's course and its special days move a series: factors of its level, learnt from the days up to an origin. */
import { MAD_TO_SIGMA, median, WEEK } from '../statistics/robust.js';
import { predicted, ridge, type Features } from '../statistics/ridge.js';
import type { SpecialDays } from './special-days.js';

export interface Effects {
  /** The factor of each day of the series and of the days ahead, by its place in `dates`. */
  holidays: number[];
  year: number[];
}

const YEAR_DAYS = 365.25;
const DAY_MS = 86_400_000;
/** Waves of a year: its course by the month, no faster. */
const WAVES = 4;
/** The level may turn this often. */
const TURN_DAYS = 91;
/** Standard deviations of what is expected beforehand, of the logarithm. */
const PRIOR = { level: 10, turn: 0.1, weekday: 0.5, wave: 0.2, special: 0.3 } as const;
/** Of the logarithm's errors, to begin with. */
const SIGMA = 0.15;
const LEAST_SIGMA = 0.01;
const ROUNDS = 2;
/** A day further out counts as little as it takes to be there (Huber 1964). */
const OUTLIER = 2.5;

/**
 * A regression of the logarithm on a level with turns, weekdays, waves of the year and special days, all but the level drawn to zero (as in
 * Taylor and Letham 2018), so that two years of one series do not make much of chance. Days without anything have no logarithm and are left
 * out.
 * @param dates of the series and of the days ahead
 * @returns effects as known after the first days, of which the values are given
 */
export function calendarRegression(
  dates: readonly string[],
  special: SpecialDays,
): (values: readonly number[]) => Effects {
  const layout = layoutOf(dates, special);
  const all = dates.map((date, day) => featuresOf(day, date, layout, special));
  return (values) => {
    const used = values.flatMap((value, day) => (value > 0 ? [day] : []));
    const rows = used.map((day) => all[day] ?? NO_FEATURES);
    const coefficients = fitted(
      rows,
      used.map((day) => Math.log(values[day] ?? 1)),
      layout,
    );
    const part = (range: { from: number; until: number }): number[] =>
      all.map((features) => Math.exp(predicted(features, coefficients, range)));
    return {
      year: part({ from: layout.waves, until: layout.special }),
      holidays: part({ from: layout.special, until: layout.spreads.length }),
    };
  };
}

const NO_FEATURES: Features = { places: [], values: [] };

function fitted(rows: readonly Features[], targets: readonly number[], { spreads }: Layout): number[] {
  let sigma: number = SIGMA;
  let weights = rows.map(() => 1);
  let coefficients: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const penalties = spreads.map((spread) => (sigma / spread) ** 2);
    coefficients = ridge(rows, targets, { penalties, weights });
    const residuals = rows.map((row, index) =>
      Math.abs((targets[index] ?? 0) - predicted(row, coefficients, { from: 0, until: spreads.length })),
    );
    const spread = Math.max(LEAST_SIGMA, MAD_TO_SIGMA * median(residuals));
    weights = residuals.map((residual) => Math.min(1, (OUTLIER * spread) / residual));
    sigma = spread;
  }
  return coefficients;
}

interface Layout {
  turns: number;
  weekdays: number;
  waves: number;
  special: number;
  /** Of special days, by name. */
  places: ReadonlyMap<string, number>;
  spreads: number[];
}

/** Where each kind of feature begins. */
function layoutOf(dates: readonly string[], special: SpecialDays): Layout {
  const turns = 2;
  const weekdays = turns + Math.floor(dates.length / TURN_DAYS);
  const waves = weekdays + WEEK;
  const first = waves + 2 * WAVES;
  const names = [...new Set(dates.flatMap((date) => special.get(date) ?? []))];
  const spreads = [
    ...Array.from({ length: turns }, () => PRIOR.level),
    ...Array.from({ length: weekdays - turns }, () => PRIOR.turn),
    ...Array.from({ length: WEEK }, () => PRIOR.weekday),
    ...Array.from({ length: 2 * WAVES }, () => PRIOR.wave),
    ...names.map(() => PRIOR.special),
  ];
  const places = new Map(names.map((name, index) => [name, first + index]));
  return { turns, weekdays, waves, special: first, places, spreads };
}

function featuresOf(day: number, date: string, layout: Layout, special: SpecialDays): Features {
  const features: [place: number, value: number][] = [
    [0, 1],
    [1, day / YEAR_DAYS],
  ];
  for (let turn = 1; turn * TURN_DAYS < day; turn++)
    features.push([layout.turns + turn - 1, day / TURN_DAYS - turn]);
  features.push([layout.weekdays + (day % WEEK), 1]);
  const angle = (2 * Math.PI * Date.parse(date)) / (YEAR_DAYS * DAY_MS);
  for (let wave = 0; wave < WAVES; wave++) {
    features.push([layout.waves + 2 * wave, Math.sin((wave + 1) * angle)]);
    features.push([layout.waves + 2 * wave + 1, Math.cos((wave + 1) * angle)]);
  }
  const places = (special.get(date) ?? []).flatMap((name) => layout.places.get(name) ?? []);
  for (const place of places.toSorted((a, b) => a - b)) features.push([place, 1]);
  return { places: features.map(([place]) => place), values: features.map(([, value]) => value) };
}
