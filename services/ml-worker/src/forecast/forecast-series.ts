/** The forecast of one daily series: the model that was best on its past, with intervals from its past mistakes. */
import type { Calendar, CalendarKind } from '../calendar/calendar.js';
import { backtest } from './backtest.js';
import { coverageOf, spreadOf } from './intervals.js';
import { mean, MODELS, seasonalNaive, SEASON, type ModelName } from './models.js';
import { withoutOddLastDay } from './odd-last-day.js';
import { endsPaused } from './pause.js';
import { withoutRamp } from './ramp.js';

export interface ForecastDay {
  mean: number;
  lower80: number;
  upper80: number;
  lower95: number;
  upper95: number;
}

export interface SeriesForecast {
  model: ModelName | 'paused';
  /** What of the calendar is in it; `null`: nothing. */
  calendar: CalendarKind | null;
  /** `null` where the history was too short for a test. */
  mase: number | null;
  naiveMase: number | null;
  coverage95: number | null;
  origins: number;
  days: ForecastDay[];
  /** Actual − forecast on the past, a row for each origin; empty where nothing was tested. */
  errors: number[][];
}

/**
 * @param history a value for each day, the oldest first, without gaps; none below zero
 * @param calendar of a longer history that ends on the same day
 */
export function forecastSeries(
  history: readonly number[],
  horizon: number,
  calendar?: Calendar,
): SeriesForecast {
  if (endsPaused(history)) return pausedSeries(horizon);
  const tested = backtest(history, calendar);
  const model = tested?.model ?? 'seasonal_naive';
  const factors = calendar?.factors(0, history.length, horizon);
  const level = history.map((value, day) => value / (factors?.past[day] ?? 1));
  const usual = withoutOddLastDay(tested === undefined ? withoutRamp(level) : level);
  const ahead =
    MODELS[model](usual, horizon) ??
    seasonalNaive(usual, horizon) ??
    Array.from({ length: horizon }, () => 0);
  const points = ahead.map((value, day) => value * (factors?.ahead[day] ?? 1));
  const errors = tested?.errors ?? weeklySteps(usual);
  const days = withIntervals(points, errors, horizon);
  return {
    model,
    calendar: calendar?.kind ?? null,
    mase: tested?.mase ?? null,
    naiveMase: tested?.naiveMase ?? null,
    coverage95: tested === undefined ? null : coverageOf(errors, spreadOf(errors, horizon)),
    origins: tested?.errors.length ?? 0,
    days,
    errors: tested?.errors ?? [],
  };
}

/** What is paused brings nothing until somebody resumes it. */
export function pausedSeries(horizon: number): SeriesForecast {
  const nothing = { mean: 0, lower80: 0, upper80: 0, lower95: 0, upper95: 0 };
  return {
    model: 'paused',
    calendar: null,
    mase: null,
    naiveMase: null,
    coverage95: null,
    origins: 0,
    days: Array.from({ length: horizon }, () => nothing),
    errors: [],
  };
}

/** A series that has not moved so far is not certain to stay as it is. */
const LEAST_SIGMA = 0.01;

/** Nothing that is forecast here can be below zero. */
export function withIntervals(
  points: readonly number[],
  errors: readonly (readonly number[])[],
  horizon: number,
  perOrigin?: number,
): ForecastDay[] {
  const { sigma, at80, at95 } = spreadOf(errors, horizon, perOrigin);
  return points.map((point, day) => {
    const middle = Math.max(0, point);
    const width = Math.max(sigma[day] ?? 0, LEAST_SIGMA * middle);
    return {
      mean: middle,
      lower80: Math.max(0, middle - at80 * width),
      upper80: middle + at80 * width,
      lower95: Math.max(0, middle - at95 * width),
      upper95: middle + at95 * width,
    };
  });
}

/**
 * Of a history too short for a test: how far the same weekday of the next week was off; of a few days, how far they lie apart. Each holds
 * for a week ahead.
 */
function weeklySteps(history: readonly number[]): number[][] {
  if (history.length > SEASON)
    return history.slice(SEASON).map((value, day) => aWeek(value - (history[day] ?? 0)));
  const middle = mean(history);
  const spread = rootMeanSquare(history.map((value) => value - middle));
  // One day says nothing about the next; a few do not show the shape of a week.
  const sigma = history.length < 3 ? middle : Math.hypot(2 * spread, UNSEEN_WEEK * middle);
  return history.map(() => aWeek(sigma));
}

function aWeek(error: number): number[] {
  return Array.from({ length: SEASON }, () => error);
}

const UNSEEN_WEEK = 0.1;

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / Math.max(1, values.length));
}
