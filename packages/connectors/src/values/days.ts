/** Calendar arithmetic on days written YYYY-MM-DD. */

/** Days, both inclusive, YYYY-MM-DD. */
export interface DateWindow {
  since: string;
  until: string;
}

const DAY_MS = 86_400_000;

export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** The window in pieces of at most `maxDays` days, in order. */
export function sliceWindow({ since, until }: DateWindow, maxDays: number): DateWindow[] {
  const slices: DateWindow[] = [];
  for (let start = since; start <= until; start = addDays(start, maxDays)) {
    const end = addDays(start, maxDays - 1);
    slices.push({ since: start, until: end < until ? end : until });
  }
  return slices;
}

/** The local day of a moment in a time zone. */
export function localDate(moment: Date, timeZone: string): string {
  return calendarOf(timeZone).format(moment);
}

/**
 * The first moment whose local date is that day: midnight, or later where clocks are put forward over it. A day that a zone has left out
 * begins with the day after.
 */
export function startOfLocalDay(date: string, timeZone: string): Date {
  const midnight = Date.parse(`${date}T00:00:00Z`);
  // Clocks differ from UTC by less than a day and change rarely: the offsets around the day are all that it can have.
  const candidates = [-DAY_MS, 0, DAY_MS]
    .map((away) => midnight - offsetMs(midnight + away, timeZone))
    .toSorted((a, b) => a - b);
  const dateAt = (moment: number): string => localDate(new Date(moment), timeZone);
  const first = candidates.find((moment) => dateAt(moment) === date && dateAt(moment - SECOND_MS) < date);
  if (first !== undefined) return new Date(first);
  // No clock shows this midnight: the day begins with the change, which is found by halving.
  let before = midnight - 2 * DAY_MS;
  let after = midnight + 2 * DAY_MS;
  while (after - before > SECOND_MS) {
    const middle = Math.floor((before + after) / 2 / SECOND_MS) * SECOND_MS;
    if (dateAt(middle) < date) before = middle;
    else after = middle;
  }
  return new Date(after);
}

/** The moment at which clocks of the zone show a local time; the first of two, and the change itself for a time that is left out. */
export function momentOfLocalTime(date: string, time: string, timeZone: string): Date {
  const local = Date.parse(`${date}T${time}Z`);
  const candidates = [-DAY_MS, DAY_MS].map((away) => local - offsetMs(local + away, timeZone));
  const exact = candidates.filter((moment) => moment + offsetMs(moment, timeZone) === local);
  return new Date(exact.length > 0 ? Math.min(...exact) : Math.max(...candidates));
}

const SECOND_MS = 1_000;

function offsetMs(moment: number, timeZone: string): number {
  const local = clockOf(timeZone).format(moment);
  return Date.parse(`${local.replace(' ', 'T')}Z`) - Math.floor(moment / SECOND_MS) * SECOND_MS;
}

/** Formats cost fifty times as much to make as to use. */
const clocks = new Map<string, Intl.DateTimeFormat>();
const calendars = new Map<string, Intl.DateTimeFormat>();

function clockOf(timeZone: string): Intl.DateTimeFormat {
  return kept(clocks, timeZone, { dateStyle: 'short', timeStyle: 'medium' });
}

function calendarOf(timeZone: string): Intl.DateTimeFormat {
  return kept(calendars, timeZone, { dateStyle: 'short' });
}

/** The Swedish form of a date is the ISO one. Zones are a few hundred, so nothing is ever thrown away. */
function kept(
  formats: Map<string, Intl.DateTimeFormat>,
  timeZone: string,
  style: Intl.DateTimeFormatOptions,
): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('sv-SE', { timeZone, ...style });
    formats.set(timeZone, format);
  }
  return format;
}
