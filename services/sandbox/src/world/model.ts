/** The things of the world, and its calendar. */

export type WorldStatus = 'active' | 'paused' | 'archived';

export interface WorldCampaign {
  /** Digits, unique in the account. A platform may show another id. */
  id: string;
  name: string;
  objective: 'sales' | 'traffic' | 'awareness';
  status: WorldStatus;
  dailyBudgetMinor: number;
  /** Budgets that it had before, the latest last: each counted up to the day before `until`. */
  formerBudgets: { until: string; dailyBudgetMinor: number }[];
  /** Day of launch, YYYY-MM-DD. */
  startedOn: string;
  /** Last day with activity, for campaigns that are not active. */
  endedOn: string | undefined;
}

export interface Account {
  platform: string;
  id: string;
  name: string;
  currency: string;
  timeZone: string;
  /** Digits behind the point of the currency's smallest unit. */
  minorDigits: number;
  /** Whether it only manages other accounts and has no campaigns. */
  isManager: boolean;
}

export const DAY_MS = 86_400_000;

/** What the clock on the wall shows in a time zone. */
export interface Clock {
  /** YYYY-MM-DD. */
  today: string;
  /** 0 to 23. */
  hour: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

export function clockOf(moment: Date, timeZone: string): Clock {
  const format =
    formats.get(timeZone) ??
    // Swedish times are written as ISO 8601 has them.
    new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  formats.set(timeZone, format);
  const [today = '', time = ''] = format.format(moment).split(' ');
  return { today, hour: Number(time.slice(0, 2)) };
}

/** The moment at which a day begins in a time zone, whose clocks do not change at midnight. */
export function startOfDay(date: string, timeZone: string): Date {
  const asUtc = Date.parse(`${date}T00:00:00Z`);
  const zone = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  const offsetAt = (moment: number): number => {
    const [, sign = '+', hours = '0', minutes = '0'] =
      /GMT([+-])(\d{2}):(\d{2})/.exec(zone.format(new Date(moment))) ?? [];
    return Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  };
  // The offset that holds then, not the one of UTC's midnight.
  return new Date(asUtc - offsetAt(asUtc - offsetAt(asUtc)));
}

/** A change of the budget does not change earlier spend. */
export function budgetOn({ dailyBudgetMinor, formerBudgets }: WorldCampaign, date: string): number {
  return formerBudgets.find(({ until }) => date < until)?.dailyBudgetMinor ?? dailyBudgetMinor;
}

export function addDays(date: string, count: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + count * DAY_MS).toISOString().slice(0, 10);
}

export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS);
}

export function* days(since: string, until: string): Generator<string> {
  for (let date = since; date <= until; date = addDays(date, 1)) yield date;
}
