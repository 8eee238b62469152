/**
 * The wall-clock times that a cron expression matches, as milliseconds since 1970 of a clock without a time zone. Pure arithmetic on dates:
 * `zoned-ticks.ts` turns them into instants.
 */
import type { CronFields } from './expression.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** 29 February is at most eight years away, from 2096 to 2104. */
const MAX_YEARS = 9;

export class WallTimes {
  private readonly months: ReadonlySet<number>;
  private readonly days: ReadonlySet<number>;
  private readonly weekdays: ReadonlySet<number>;
  private readonly anyDay: boolean;
  private readonly anyWeekday: boolean;

  constructor(private readonly fields: CronFields) {
    this.months = new Set(fields.month);
    this.days = new Set(fields.dayOfMonth);
    this.weekdays = new Set(fields.dayOfWeek);
    this.anyDay = this.days.size === 31;
    this.anyWeekday = this.weekdays.size === 7;
  }

  /** The first match after a time; `undefined` if there is none within nine years. */
  after(time: number): number | undefined {
    const from = Math.floor(time / SECOND_MS) * SECOND_MS + SECOND_MS;
    const firstDay = Math.floor(from / DAY_MS) * DAY_MS;
    if (this.matchesDay(new Date(firstDay))) {
      const inDay = this.timeOfDay(from - firstDay);
      if (inDay !== undefined) return firstDay + inDay;
    }
    const day = this.dayAfter(firstDay);
    return day === undefined ? undefined : day + (this.timeOfDay(0) ?? 0);
  }

  private dayAfter(day: number): number | undefined {
    const date = new Date(day);
    const lastYear = date.getUTCFullYear() + MAX_YEARS;
    date.setUTCDate(date.getUTCDate() + 1);
    while (date.getUTCFullYear() <= lastYear) {
      if (!this.months.has(date.getUTCMonth() + 1)) date.setUTCMonth(date.getUTCMonth() + 1, 1);
      else if (this.matchesDay(date)) return date.getTime();
      else date.setUTCDate(date.getUTCDate() + 1);
    }
    return undefined;
  }

  /** As cron does it: if both day fields are restricted, one of them suffices. */
  private matchesDay(date: Date): boolean {
    if (!this.months.has(date.getUTCMonth() + 1)) return false;
    const matchesDay = this.days.has(date.getUTCDate());
    const matchesWeekday = this.weekdays.has(date.getUTCDay());
    if (this.anyDay || this.anyWeekday) return matchesDay && matchesWeekday;
    return matchesDay || matchesWeekday;
  }

  /** The first time of day, in milliseconds since midnight, from a time of day on. */
  private timeOfDay(from: number): number | undefined {
    const { hour: hours, minute: minutes, second: seconds } = this.fields;
    const fromHour = Math.floor(from / HOUR_MS);
    const fromMinute = Math.floor((from % HOUR_MS) / MINUTE_MS);
    const fromSecond = (from % MINUTE_MS) / SECOND_MS;
    for (const hour of hours) {
      if (hour < fromHour) continue;
      const isFirstHour = hour === fromHour;
      for (const minute of minutes) {
        if (isFirstHour && minute < fromMinute) continue;
        const least = isFirstHour && minute === fromMinute ? fromSecond : 0;
        const second = seconds.find((value) => value >= least);
        if (second !== undefined) return hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS;
      }
    }
    return undefined;
  }
}
