/** Days on which people buy more, or less, than usual: holidays of a country, and days of the trade that all countries have. */
import { addDays } from '@stratum/connectors/values';
import Holidays from 'date-holidays';

/** By date, YYYY-MM-DD: what the day is. The same name comes again in each year. */
export type SpecialDays = ReadonlyMap<string, readonly string[]>;

const zones = new Map<string, string>();

/** The country of an IANA time zone; `undefined` for those of no country, such as UTC. */
export function countryOfZone(timeZone: string): string | undefined {
  if (zones.size === 0) {
    const all = new Holidays();
    for (const country of Object.keys(all.getCountries())) {
      all.init(country);
      // A zone of several countries is that of the first, the largest.
      for (const zone of all.getTimezones().map(oneName)) if (!zones.has(zone)) zones.set(zone, country);
    }
  }
  return zones.get(oneName(timeZone));
}

/** Zones have old and new names, such as Asia/Calcutta and Asia/Kolkata. */
function oneName(timeZone: string): string {
  return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
}

const known = new Map<string, SpecialDays>();

/** Of a country, or, where it is unknown, of the trade alone. @param years the first and the last, both included */
export function specialDays(
  country: string | undefined,
  [first, last]: readonly [number, number],
): SpecialDays {
  const key = `${country ?? ''}/${first}/${last}`;
  const made = known.get(key) ?? daysOf(country, first, last);
  known.set(key, made);
  return made;
}

function daysOf(country: string | undefined, first: number, last: number): SpecialDays {
  const days = new Map<string, Set<string>>();
  const add = (date: string, name: string): void => {
    days.set(date, (days.get(date) ?? new Set()).add(name));
  };
  const holidays = country === undefined ? undefined : new Holidays(country);
  for (let year = first; year <= last; year++) {
    for (const [name, date] of tradeDays(year)) add(date, name);
    for (const { date, rule, type } of holidays?.getHolidays(year) ?? []) {
      const day = date.slice(0, 10);
      add(day, rule);
      if (type !== 'public') continue;
      add(addDays(day, -1), `${rule} eve`);
      add(addDays(day, 1), `${rule} after`);
    }
  }
  return new Map([...days].map(([date, names]) => [date, [...names]]));
}

/** What is advertised everywhere. */
function tradeDays(year: number): [name: string, date: string][] {
  const thanksgiving = weekdayOf(year, 11, { weekday: 4, nth: 4 });
  const week = [-3, -2, -1, 0, 1, 2, 3, 4].map((offset): [string, string] => [
    `Black Friday ${offset}`,
    addDays(thanksgiving, 1 + offset),
  ]);
  const fixed = ['02-13', '02-14', '11-11', '12-24', '12-26', '12-27', '12-31', '01-02'].map(
    (day): [string, string] => [day, `${year}-${day}`],
  );
  return [...week, ...fixed];
}

const DAY_MS = 86_400_000;

function weekdayOf(year: number, month: number, { weekday, nth }: { weekday: number; nth: number }): string {
  const first = new Date(Date.UTC(year, month - 1, 1));
  const until = (weekday - first.getUTCDay() + 7) % 7;
  return new Date(first.getTime() + (until + 7 * (nth - 1)) * DAY_MS).toISOString().slice(0, 10);
}
