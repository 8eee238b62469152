/** Campaigns that have stopped, as far as their figures show it. */
import { SEASON } from './models.js';

const MIN_DAYS = 3;
/** A tail of zeros is a pause when it would come by chance less often than this. */
const CHANCE = 0.001;

/**
 * Whether the history ends with days of nothing that its own past does not explain. The chance of a zero is taken from the same weekday,
 * so that campaigns that rest at weekends, or bring something now and then, are not paused.
 */
export function endsPaused(history: readonly number[]): boolean {
  const end = history.findLastIndex((value) => value > 0) + 1;
  const zeros = history.length - end;
  if (zeros < MIN_DAYS || end === 0) return false;
  let chance = 1;
  for (let day = end; day < history.length; day++) {
    const same = history.slice(0, end).filter((_value, index) => (day - index) % SEASON === 0);
    const without = same.filter((value) => value === 0).length;
    const overall = (history.slice(0, end).filter((value) => value === 0).length + 0.5) / (end + 1);
    // One value that is expected from all days is added to those of the weekday.
    chance *= (without + overall) / (same.length + 1);
    if (chance < CHANCE) return true;
  }
  return false;
}
