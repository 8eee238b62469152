/** Times in text, as people and programs write them. The database's `read_time` reads the same forms in customers' data. */

const ISO_8601 =
  /^(\d{4})(?:-(\d\d)-(\d\d)|(\d\d)(\d\d)|-?W(\d\d)-?([1-7])|-?(\d{3}))(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)? ?(?:[Zz]|UTC|([+-])(\d\d)(?::?(\d\d))?)?)?$/;
const DAY_MS = 86_400_000;

/**
 * A time in any common form of ISO 8601: calendar, week and ordinal dates, with a time or without, with an offset or, without one, in
 * UTC. `undefined` for others, and for days that the calendar does not have.
 */
export function timeOf(text: string): Date | undefined {
  const part = ISO_8601.exec(text.trim());
  if (part === null) return undefined;
  const [, year = '', month, date, month2, date2, week, weekday, ordinal] = part;
  const day = dayOf({
    year: Number(year),
    month: month ?? month2,
    date: date ?? date2,
    week,
    weekday,
    ordinal,
  });
  const [hour, minute, second] = [part[9], part[10], part[11]].map((each) => Number(each ?? 0));
  const [offsetHour, offsetMinute] = [part[14], part[15]].map((each) => Number(each ?? 0));
  if (day === undefined || Number(year) === 0) return undefined;
  if ([minute, second, offsetMinute].some((each = 0) => each > 59) || (offsetHour ?? 0) > 23)
    return undefined;
  const seconds = (hour ?? 0) * 3_600 + (minute ?? 0) * 60 + (second ?? 0) + Number(`0.${part[12] ?? '0'}`);
  if (seconds > 86_400) return undefined;
  const away = ((offsetHour ?? 0) * 60 + (offsetMinute ?? 0)) * 60_000 * (part[13] === '-' ? -1 : 1);
  return new Date(day + Math.round(seconds * 1_000) - away);
}

interface DayParts {
  year: number;
  month: string | undefined;
  date: string | undefined;
  week: string | undefined;
  weekday: string | undefined;
  ordinal: string | undefined;
}

/** The first moment of the day in UTC. */
function dayOf({ year, month, date, week, weekday, ordinal }: DayParts): number | undefined {
  if (week !== undefined) {
    // Week 1 is the one with 4 January; the Thursday of a week says which year it belongs to.
    const fourth = utc(year, 0, 4);
    const monday =
      fourth - ((new Date(fourth).getUTCDay() + 6) % 7) * DAY_MS + (Number(week) - 1) * 7 * DAY_MS;
    const isOfYear = new Date(monday + 3 * DAY_MS).getUTCFullYear() === year && Number(week) > 0;
    return isOfYear ? monday + (Number(weekday) - 1) * DAY_MS : undefined;
  }
  if (ordinal !== undefined) {
    const day = utc(year, 0, Number(ordinal));
    return new Date(day).getUTCFullYear() === year ? day : undefined;
  }
  const day = utc(year, Number(month) - 1, Number(date));
  return new Date(day).getUTCMonth() === Number(month) - 1 && new Date(day).getUTCDate() === Number(date)
    ? day
    : undefined;
}

/** `Date.UTC` takes the years to 99 for those of the last century. */
function utc(year: number, month: number, date: number): number {
  return new Date(0).setUTCFullYear(year, month, date);
}
