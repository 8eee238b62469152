/**
 * Rolling-origin evaluation (Tashman 2000): each model forecasts past days from several earlier days, knowing only the data known
 * then. Its errors decide which model is used, and how wide its intervals are.
 */
import type { Calendar } from '../calendar/calendar.js';
import { MODELS, SEASON, type Model, type ModelName } from './models.js';
import { withoutOddLastDay } from './odd-last-day.js';

export interface Backtest {
  model: ModelName;
  /** Mean absolute scaled error (Hyndman and Koehler 2006): against the mean step from week to week. `null`: the series never changes. */
  mase: number | null;
  naiveMase: number | null;
  /** Errors: actual − forecast, a row for each origin, a column for each day ahead; wider where the calendar's year had larger ones. */
  errors: number[][];
}

const MAX_ORIGINS = 8;
/** Least history before the earliest origin. */
const MIN_TRAINING = 3 * SEASON;
const MAX_TEST_DAYS = 28;
/** Against the winner's curse: a model has to be better than the naive one by this much. */
const MARGIN = 0.98;

/** `undefined` where the history is too short to test anything. A last day that is odd by itself says nothing about a model. */
export function backtest(whole: readonly number[], calendar?: Calendar): Backtest | undefined {
  const history = withoutOddLastDay(whole);
  const room = history.length - MIN_TRAINING;
  if (room < SEASON) return undefined;
  const days = Math.min(MAX_TEST_DAYS, Math.max(SEASON, Math.floor(room / 2)));
  const origins = originsOf(history.length, days).map((length): Origin => {
    const factors = calendar?.factors(history.length - length, length, days);
    return {
      length,
      training: withoutOddLastDay(
        history.slice(0, length).map((value, day) => value / (factors?.past[day] ?? 1)),
      ),
      factors: factors?.ahead,
    };
  });
  const scale = naiveScale(history);
  let best: { name: ModelName; loss: number; errors: number[][] } | undefined;
  for (const [name, model] of entries()) {
    const errors = errorsOf(model, history, origins, days);
    if (errors === undefined) continue;
    const loss = meanAbsolute(errors);
    const isBetter = best === undefined || loss < best.loss * (best.name === 'seasonal_naive' ? MARGIN : 1);
    if (isBetter) best = { name, loss, errors };
  }
  if (best === undefined) return undefined;
  return {
    model: best.name,
    mase: scale === 0 ? null : best.loss / scale,
    naiveMase: scale === 0 ? null : naiveLossOf(history, origins, days) / scale,
    errors: best.errors.map((row) => row.map((error) => error * (calendar?.widening ?? 1))),
  };
}

function* entries(): Generator<[ModelName, Model]> {
  yield ['seasonal_naive', MODELS.seasonal_naive];
  yield ['weekday_mean', MODELS.weekday_mean];
  yield ['theta', MODELS.theta];
  yield ['mstl_ets', MODELS.mstl_ets];
  yield ['tsb', MODELS.tsb];
  yield ['combination', MODELS.combination];
}

/** Evenly spread, the latest as late as its days allow. */
function originsOf(length: number, days: number): number[] {
  const last = length - days;
  const span = last - MIN_TRAINING;
  const count = Math.min(MAX_ORIGINS, span + 1);
  return Array.from(
    { length: count },
    (_, index) => last - Math.floor((span * index) / Math.max(1, count - 1) || 0),
  );
}

interface Origin {
  length: number;
  /** What a model sees. */
  training: readonly number[];
  /** What the calendar makes of each day ahead. */
  factors: readonly number[] | undefined;
}

function errorsOf(
  model: Model,
  history: readonly number[],
  origins: readonly Origin[],
  days: number,
): number[][] | undefined {
  const errors: number[][] = [];
  for (const { length, training, factors } of origins) {
    const forecast = model(training, days);
    if (forecast === undefined) return undefined;
    errors.push(
      forecast.map((value, day) => (history[length + day] ?? 0) - Math.max(0, value) * (factors?.[day] ?? 1)),
    );
  }
  return errors;
}

/** Of figures as they were: the measure knows no calendar. */
function naiveLossOf(history: readonly number[], origins: readonly Origin[], days: number): number {
  const plain = origins.map(({ length }) => ({
    length,
    training: withoutOddLastDay(history.slice(0, length)),
    factors: undefined,
  }));
  return meanAbsolute(errorsOf(MODELS.seasonal_naive, history, plain, days) ?? []);
}

function meanAbsolute(errors: readonly (readonly number[])[]): number {
  const all = errors.flat();
  return all.reduce((sum, error) => sum + Math.abs(error), 0) / all.length;
}

/** The mean absolute change from one week to the next. */
function naiveScale(history: readonly number[]): number {
  if (history.length <= SEASON) return 0;
  let sum = 0;
  for (let day = SEASON; day < history.length; day++)
    sum += Math.abs((history[day] ?? 0) - (history[day - SEASON] ?? 0));
  return sum / (history.length - SEASON);
}
