/** Whether, and which, effects of the calendar make a series' forecasts better. */
import { addDays } from '@stratum/connectors/values';
import { MODELS } from '../forecast/models.js';
import { calendarRegression, type Effects } from './calendar-effects.js';
import { countryOfZone, specialDays } from './special-days.js';

export type CalendarKind = 'holidays' | 'year';

/** Factors of the level that the calendar sets. */
export interface Calendar {
  kind: CalendarKind;
  /** How much larger errors of the whole last year were than those of its second half, which a test sees; at least 1. */
  widening: number;
  /**
   * As known on an earlier day, so that a test learns nothing from the days that it forecasts.
   * @param daysBefore days before the last one of the series
   * @param past the number of days up to then that factors are wanted for
   */
  factors(daysBefore: number, past: number, ahead: number): { past: number[]; ahead: number[] };
}

/** A course of the year shows when it has come twice. */
const CALENDAR_DAYS = 730;
/** In a third of days, or more, without anything there is no level to see. */
const MOST_EMPTY = 1 / 3;
const LEAST_MEAN = 3;
/** One origin a month over the last year. */
const ORIGINS = 12;
const STEP = 28;
const MODEL_DAYS = 180;
/** The calendar has to make the forecasts of the last year better by this much, so that chance does not bring it in. */
const GAIN = 0.97;

/**
 * Forecasts of the last year, one a month, are made with and without the calendar, knowing only what was known then; it is used where it
 * helped. `undefined`: it did not, or there are less than two years.
 * @param values daily, the oldest first, the last one of the day `lastDate`
 */
export function helpfulCalendar(
  values: readonly number[],
  { lastDate, timeZone, horizon }: { lastDate: string; timeZone: string; horizon: number },
): Calendar | undefined {
  if (values.length < CALENDAR_DAYS) return undefined;
  const empty = values.filter((value) => value === 0).length;
  const total = values.reduce((a, b) => a + b, 0);
  if (empty > MOST_EMPTY * values.length || total < LEAST_MEAN * values.length) return undefined;
  const dates = Array.from({ length: values.length + horizon }, (_, day) =>
    addDays(lastDate, day + 1 - values.length),
  );
  const special = specialDays(countryOfZone(timeZone), [yearOf(dates[0]), yearOf(dates.at(-1))]);
  const effects = effectsAt(values, calendarRegression(dates, special));
  const helpful = bestKind(values, effects);
  if (helpful === undefined) return undefined;
  const { kind, widening } = helpful;
  return {
    kind,
    widening,
    factors: (daysBefore, past, ahead) => {
      const known = values.length - daysBefore;
      const factors = factorsOf(effects(known), kind);
      return { past: factors.slice(known - past, known), ahead: factors.slice(known, known + ahead) };
    },
  };
}

/** What is known after so many days. Kept, because the test and the forecast ask for the same origins. */
function effectsAt(
  values: readonly number[],
  regression: (values: readonly number[]) => Effects,
): (known: number) => Effects {
  const made = new Map<number, Effects>();
  return (known) => {
    const effects = made.get(known) ?? regression(values.slice(0, known));
    made.set(known, effects);
    return effects;
  };
}

function factorsOf({ holidays, year }: Effects, kind: CalendarKind): number[] {
  return kind === 'holidays' ? holidays : holidays.map((factor, day) => factor * (year[day] ?? 1));
}

function bestKind(
  values: readonly number[],
  effects: (known: number) => Effects,
): Pick<Calendar, 'kind' | 'widening'> | undefined {
  const origins = Array.from({ length: ORIGINS }, (_, origin) => {
    const known = values.length - STEP * (origin + 1);
    const at = effects(known);
    return {
      none: errorsOf(values, known),
      holidays: errorsOf(values, known, factorsOf(at, 'holidays')),
      year: errorsOf(values, known, factorsOf(at, 'year')),
    };
  });
  const loss = (kind: CalendarKind | 'none'): number => norms(origins.map((errors) => errors[kind])).absolute;
  const kind = loss('year') < loss('holidays') ? 'year' : 'holidays';
  if (loss(kind) >= GAIN * loss('none')) return undefined;
  const errors = origins.map((origin) => origin[kind]);
  const late = norms(errors.slice(0, ORIGINS / 2)).square;
  return { kind, widening: late === 0 ? 1 : Math.max(1, norms(errors).square / late) };
}

/** Means of the absolute value and, as a root, of the square. */
function norms(errors: readonly (readonly number[])[]): { absolute: number; square: number } {
  const all = errors.flat();
  const count = Math.max(1, all.length);
  return {
    absolute: all.reduce((sum, error) => sum + Math.abs(error), 0) / count,
    square: Math.sqrt(all.reduce((sum, error) => sum + error ** 2, 0) / count),
  };
}

/** Theta and the weekdays' mean stand for all models: they are quick. */
function errorsOf(values: readonly number[], known: number, factors?: readonly number[]): number[] {
  const from = Math.max(0, known - MODEL_DAYS);
  const past = values.slice(from, known).map((value, day) => value / (factors?.[from + day] ?? 1));
  return [MODELS.theta, MODELS.weekday_mean].flatMap((model) =>
    (model(past, STEP) ?? []).map(
      (value, day) => (values[known + day] ?? 0) - Math.max(0, value) * (factors?.[known + day] ?? 1),
    ),
  );
}

function yearOf(date: string | undefined): number {
  return Number(date?.slice(0, 4));
}
