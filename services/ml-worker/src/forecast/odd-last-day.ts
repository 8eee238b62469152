/** One odd day at the end of a history: a mistake, a day of promotion, or the first day of something new. */
import { lastDayDeviation } from '../statistics/robust.js';

const WINDOW = { days: 28, leastSpread: 0.1 } as const;
/** Replacing a usual day harms, too, so only a day far out is replaced. */
const ODD_FROM = 5;
/** Two days in a row that lie outside are a step, not a mistake. */
const ALSO_ODD_FROM = 2.5;

/**
 * The history with its last day replaced by the weekday's usual value where that day alone lies far outside. Smoothing and
 * decomposition take the newest day for the new level, so a day of ten times the usual spend would be forecast for a month.
 */
export function withoutOddLastDay(history: readonly number[]): readonly number[] {
  const last = lastDayDeviation(history, WINDOW);
  if (last === undefined || Math.abs(last.deviation) < ODD_FROM) return history;
  const before = lastDayDeviation(history.slice(0, -1), WINDOW);
  const isStep =
    before !== undefined &&
    Math.abs(before.deviation) >= ALSO_ODD_FROM &&
    Math.sign(before.deviation) === Math.sign(last.deviation);
  return isStep ? history : [...history.slice(0, -1), last.expected];
}
