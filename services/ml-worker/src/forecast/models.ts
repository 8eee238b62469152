/** The candidates: each takes a daily history and gives the days to come. All are `undefined` where they cannot say anything. */
import { mstlForecast } from './mstl.js';

export type Model = (history: readonly number[], horizon: number) => number[] | undefined;

export const SEASON = 7;

/** The same weekday of last week. The measure of all others. */
export const seasonalNaive: Model = (history, horizon) => {
  if (history.length === 0) return undefined;
  const start = Math.max(0, history.length - SEASON);
  const week = history.slice(start);
  return Array.from({ length: horizon }, (_, day) => week[day % week.length] ?? 0);
};

/** The mean of each weekday over the last weeks: steadier than one week. */
const WEEKS = 4;
const weekdayMean: Model = (history, horizon) => {
  if (history.length < 2 * SEASON) return undefined;
  const recent = history.slice(-WEEKS * SEASON);
  return Array.from({ length: horizon }, (_, day) => {
    const same = recent.filter((_value, index) => (recent.length - index - 1 + day + 1) % SEASON === 0);
    return mean(same);
  });
};

const mstlEts: Model = (history, horizon) =>
  history.length < 3 * SEASON ? undefined : mstlForecast(history, SEASON, horizon);

const ALPHAS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];

/**
 * Theta (Assimakopoulos and Nikolopoulos 2000, as simple exponential smoothing with half the trend as drift: Hyndman and Billah 2003), on
 * figures from which the week's pattern has been taken out. The drift is damped: campaigns do not grow for ever.
 */
const theta: Model = (history, horizon) => {
  if (history.length < 2 * SEASON) return undefined;
  const pattern = weekPattern(history);
  const level = history.map((value, index) => value - (pattern[index % SEASON] ?? 0));
  const drift = slope(level) / 2;
  let best = { error: Infinity, last: 0 };
  for (const alpha of ALPHAS) {
    const smoothed = smooth(level, alpha);
    if (smoothed.error < best.error) best = smoothed;
  }
  let trend = 0;
  return Array.from({ length: horizon }, (_, day) => {
    trend += drift * DAMPING ** (day + 1);
    return best.last + trend + (pattern[(history.length + day) % SEASON] ?? 0);
  });
};

const DAMPING = 0.95;

/**
 * Teunter, Syntetos and Babai (2011): for series that are mostly zero, the probability of something and its size are smoothed
 * each for itself.
 */
const tsb: Model = (history, horizon) => {
  if (history.length < SEASON) return undefined;
  const sizes = history.filter((value) => value > 0);
  if (sizes.length === 0) return Array.from({ length: horizon }, () => 0);
  let size = mean(sizes);
  let probability = sizes.length / history.length;
  for (const value of history) {
    probability += TSB_PROBABILITY * ((value > 0 ? 1 : 0) - probability);
    if (value > 0) size += TSB_SIZE * (value - size);
  }
  return Array.from({ length: horizon }, () => probability * size);
};

const TSB_PROBABILITY = 0.05;
const TSB_SIZE = 0.1;

/** Different mistakes cancel out: the mean of several forecasts is hard to beat. */
const combination: Model = (history, horizon) => {
  const parts = [mstlEts, theta, weekdayMean].flatMap((model) => {
    const forecast = model(history, horizon);
    return forecast === undefined ? [] : [forecast];
  });
  if (parts.length < 2) return undefined;
  return Array.from({ length: horizon }, (_, day) => mean(parts.map((part) => part[day] ?? 0)));
};

export const MODELS = {
  seasonal_naive: seasonalNaive,
  weekday_mean: weekdayMean,
  theta,
  mstl_ets: mstlEts,
  tsb,
  combination,
} as const satisfies Record<string, Model>;
export type ModelName = keyof typeof MODELS;

/** How each weekday differs from the rest, by the place in the week; sums to zero. */
function weekPattern(history: readonly number[]): number[] {
  const recent = Math.max(0, history.length - 8 * SEASON);
  const sums = Array.from({ length: SEASON }, (_, day) =>
    mean(history.filter((_value, index) => index >= recent && index % SEASON === day)),
  );
  const overall = mean(sums);
  return sums.map((sum) => sum - overall);
}

function smooth(values: readonly number[], alpha: number): { error: number; last: number } {
  let last = mean(values.slice(0, SEASON));
  let error = 0;
  for (const value of values) {
    error += (value - last) ** 2;
    last += alpha * (value - last);
  }
  return { error, last };
}

function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const average = mean(values);
  let above = 0;
  let below = 0;
  for (const [index, value] of values.entries()) {
    above += (index - middle) * (value - average);
    below += (index - middle) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
}
