/** The days that a window means, and the window before it. */
import type { RuleWindow } from '@stratum/shared/rules';

/** Both days inclusive, YYYY-MM-DD. */
export interface Days {
  since: string;
  until: string;
}

const DAY_MS = 86_400_000;
const LENGTHS: Readonly<Record<Exclude<RuleWindow, 'lifetime' | 'today'>, number>> = {
  yesterday: 1,
  last_3_days: 3,
  last_7_days: 7,
  last_14_days: 14,
  last_28_days: 28,
};

export function daysOf(window: RuleWindow, today: string): Days {
  if (window === 'today') return { since: today, until: today };
  if (window === 'lifetime') return { since: '1970-01-01', until: today };
  return { since: shift(today, -LENGTHS[window]), until: shift(today, -1) };
}

/** As long, right before it. */
export function daysBefore(window: Exclude<RuleWindow, 'lifetime'>, today: string): Days {
  if (window === 'today') return daysOf('yesterday', today);
  const length = LENGTHS[window];
  return { since: shift(today, -2 * length), until: shift(today, -length - 1) };
}

export function lengthOf({ since, until }: Days): number {
  return Math.round((Date.parse(until) - Date.parse(since)) / DAY_MS) + 1;
}

function shift(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}
