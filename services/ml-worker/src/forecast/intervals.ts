/** Intervals from a model's past errors, wider further ahead. */
import { studentQuantile } from '../statistics/student.js';

/** Errors of neighbouring days ahead are taken together. */
const NEIGHBOURS = 4;
/** Errors of one origin resemble each other: a week of them counts as this number of independent ones. */
const INDEPENDENT_PER_ORIGIN = 3;

export interface Spread {
  /** Standard deviation by day ahead. */
  sigma: number[];
  at80: number;
  at95: number;
}

/**
 * @param errors a row for each origin, a column for each day ahead; at least one of each
 * @param perOrigin the number of independent errors in a row
 */
export function spreadOf(
  errors: readonly (readonly number[])[],
  horizon: number,
  perOrigin = INDEPENDENT_PER_ORIGIN,
): Spread {
  const days = errors[0]?.length ?? 0;
  const known = Array.from({ length: days }, (_, day) =>
    rootMeanSquare(errors.flatMap((row) => row.slice(Math.max(0, day - NEIGHBOURS), day + NEIGHBOURS + 1))),
  );
  const sigma: number[] = [];
  let widest = 0;
  for (let day = 0; day < horizon; day++) {
    // Beyond the tested horizon the spread grows like a random walk's.
    const value = day < days ? (known[day] ?? 0) : (known.at(-1) ?? 0) * Math.sqrt((day + 1) / days);
    widest = Math.max(widest, value);
    sigma.push(widest);
  }
  // Few origins know their spread badly.
  const degrees = errors.length * perOrigin;
  return { sigma, at80: studentQuantile(0.8, degrees), at95: studentQuantile(0.95, degrees) };
}

/** The share of the past's days that the 95 % interval held. */
export function coverageOf(errors: readonly (readonly number[])[], { sigma, at95 }: Spread): number {
  const all = errors.flatMap((row) => row.map((error, day) => Math.abs(error) <= at95 * (sigma[day] ?? 0)));
  return all.filter(Boolean).length / all.length;
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / Math.max(1, values.length));
}
