/** Launches: platforms spend little at first, and more each day until the campaign is delivered in full. */

const MIN_DAYS = 4;
const MAX_DAYS = 14;
const STARTS = [0, 0.1, 0.2, 0.3] as const;
/** A ramp has to explain this share of what a constant level leaves over. */
const EXPLAINED = 0.8;

/**
 * The history with the days of a ramp raised to the level that it leads to; unchanged where there is no clear one. A ramp is a straight
 * line from a share of the level up to all of it, fitted by least squares.
 */
export function withoutRamp(history: readonly number[]): readonly number[] {
  if (history.length < MIN_DAYS) return history;
  let best: Fit | undefined;
  for (const start of STARTS) {
    for (let days = 3; days <= Math.min(MAX_DAYS, history.length); days++) {
      const shares = history.map((_value, day) => start + (1 - start) * Math.min(1, (day + 1) / days));
      const fit = fitShares(history, shares);
      if (best === undefined || fit.left < best.left) best = fit;
    }
  }
  const flat = fitShares(
    history,
    history.map(() => 1),
  );
  if (best === undefined || flat.left === 0 || best.left > (1 - EXPLAINED) * flat.left) return history;
  const { shares, level } = best;
  // Added, not divided by: that would make much of the chance of a day of little spend.
  return history.map((value, day) => value + (1 - (shares[day] ?? 1)) * level);
}

interface Fit {
  shares: number[];
  level: number;
  /** The squares that the level leaves over. */
  left: number;
}

function fitShares(history: readonly number[], shares: number[]): Fit {
  let cross = 0;
  let squares = 0;
  for (const [day, value] of history.entries()) {
    cross += value * (shares[day] ?? 0);
    squares += (shares[day] ?? 0) ** 2;
  }
  const level = cross / squares;
  const left = history.reduce((sum, value, day) => sum + (value - level * (shares[day] ?? 0)) ** 2, 0);
  return { shares, level, left };
}
