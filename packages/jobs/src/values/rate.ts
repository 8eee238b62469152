/** Rates as people write them. */
import { ratePeriod, rate as rateBounds } from './bounds.js';

/** So many events per `perMs` milliseconds. */
export interface Rate {
  readonly limit: number;
  readonly perMs: number;
}

const UNITS_MS = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Reads `10/s`, `500/h` or `100/5m`; `undefined` for other text and out of bounds. */
export function parseRate(text: string): Rate | undefined {
  const [, limit = '', times = '1', unit = ''] =
    /^(\d{1,9}(?:\.\d{1,9})?)\/(\d{1,9})?(ms|[smhd])$/.exec(text) ?? [];
  const value = { limit: Number(limit), perMs: Number(times) * (UNITS_MS.get(unit) ?? 0) };
  return limit !== '' && rateBounds.includes(value.limit) && ratePeriod.includes(value.perMs)
    ? value
    : undefined;
}
