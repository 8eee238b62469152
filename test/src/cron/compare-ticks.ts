/** Compares the ticks of cron expressions with those of an independent library, in every time zone, in both seasons and around each change of clocks. */
import { cadenceOf } from '@stratum/jobs/internal';
import { Cron } from 'croner';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TICKS_PER_SEASON = 3;

/** Both count these in the same way in the night of a change. */
const EXPRESSIONS = [
  '30 * * * *',
  '*/15 * * * *',
  '0 */2 * * *',
  '30 2 * * *',
  '15 1 * * *',
  '0 0 * * *',
  '5 4 * * 1',
  '0 3 29 2 *',
  '59 23 31 12 *',
  '10 12 1,15 * 5',
  '20,40 0 8 * * *',
];
/** The library repeats a list, range or step of minutes in a repeated hour although the hour is fixed; here it runs once. */
const APART_FROM_CHANGES = ['*/20 2 * * *', '0,30 1-3 * * *', '0 9-17 * * 1-5', '*/10 30 6 * * *'];

export interface Comparison {
  compared: number;
  differences: string[];
}

export interface ComparisonOptions {
  zones: readonly string[];
  years: readonly number[];
  /** Selects the expressions for a place and time, out of all. */
  select: (expressions: readonly string[]) => readonly string[];
  /** How far before and after a change of clocks ticks are compared. */
  aroundMs: number;
}

export function compareTicks({ zones, years, select, aroundMs }: ComparisonOptions): Comparison {
  const comparison: Comparison = { compared: 0, differences: [] };
  for (const zone of zones)
    for (const year of years) {
      for (const month of [0, 6])
        for (const cron of select([...EXPRESSIONS, ...APART_FROM_CHANGES]))
          compare(comparison, { cron, zone, since: Date.UTC(year, month, 10), most: TICKS_PER_SEASON });
      for (const change of clockChanges(zone, year))
        for (const cron of select(EXPRESSIONS))
          compare(comparison, { cron, zone, since: change - aroundMs, until: change + aroundMs });
    }
  return comparison;
}

interface Walk {
  cron: string;
  zone: string;
  since: number;
  until?: number;
  most?: number;
}

function compare(
  comparison: Comparison,
  { cron, zone, since, until = Infinity, most = Infinity }: Walk,
): void {
  const ours = cadenceOf({ name: 'compared', cron, time_zone: zone });
  const theirs = new Cron(cron, { timezone: zone });
  let at = since;
  for (let count = 0; count < most && at <= until; count++) {
    const tick = ours.next(at);
    const reference = theirs.nextRun(new Date(at))?.getTime();
    comparison.compared++;
    if (tick !== reference || tick <= at) {
      comparison.differences.push(
        `${cron} in ${zone} after ${text(at)}: ${text(tick)}, the reference says ${text(reference)}`,
      );
      return;
    }
    at = tick;
  }
}

/** To the hour below, read from the platform's clock of the zone. */
export function clockChanges(zone: string, year: number): number[] {
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
  const offset = (time: number): string | undefined =>
    format.formatToParts(time).find(({ type }) => type === 'timeZoneName')?.value;
  const changes: number[] = [];
  for (let day = Date.UTC(year, 0, 1); day < Date.UTC(year + 1, 0, 1); day += DAY_MS) {
    if (offset(day) === offset(day + DAY_MS)) continue;
    let hour = day;
    while (offset(hour + HOUR_MS) === offset(day)) hour += HOUR_MS;
    changes.push(hour);
  }
  return changes;
}

function text(time: number | undefined): string {
  return time === undefined ? 'nothing' : new Date(time).toISOString();
}
