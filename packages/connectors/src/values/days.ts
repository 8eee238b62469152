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
  // The Swedish form of a date is the ISO one.
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(moment);
}

/** The moment at which a local day begins. */
export function startOfLocalDay(date: string, timeZone: string): Date {
  let moment = Date.parse(`${date}T00:00:00Z`);
  // The offset at the first guess can differ from the one at midnight when clocks change that day; the second pass corrects it.
  for (let pass = 0; pass < 2; pass++) {
    moment = Date.parse(`${date}T00:00:00Z`) - offsetMs(new Date(moment), timeZone);
  }
  return new Date(moment);
}

function offsetMs(moment: Date, timeZone: string): number {
  const local = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(moment);
  return Date.parse(`${local.replace(' ', 'T')}Z`) - Math.floor(moment.getTime() / 1000) * 1000;
}
