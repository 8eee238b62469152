/** Durations as people type them. */
import { duration } from '@stratum/jobs/bounds';
import { InvalidArgumentError } from 'commander';

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90s`, `5m`, `2h`, `1d`, `500ms`; a bare number is seconds. In milliseconds. */
export function parseDuration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  if (amount === undefined || unitMs === undefined)
    throw new InvalidArgumentError('Give a duration such as 500ms, 90s, 5m, 2h or 1d.');
  const milliseconds = Number(amount) * unitMs;
  if (duration.includes(milliseconds)) return milliseconds;
  throw new InvalidArgumentError(`Give a duration of at most ${durationText(duration.max)}.`);
}

/** The shortest way to type a duration: `6h` rather than `21600s`. */
export function durationText(ms: number): string {
  const [unit, unitMs] = Object.entries(UNITS_MS).findLast(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / unitMs}${unit}`;
}
