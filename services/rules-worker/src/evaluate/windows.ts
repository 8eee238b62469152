/** The days that a window means, and the window before it, counted from a campaign's today. */
import type { RuleWindow } from '@stratum/shared/rules';

/** Days after today, both inclusive; −1 is yesterday. Without `first` everything up to `last`. */
export interface Days {
  first: number | null;
  last: number;
}

const LENGTHS: Readonly<Record<Exclude<RuleWindow, 'lifetime' | 'today'>, number>> = {
  yesterday: 1,
  last_3_days: 3,
  last_7_days: 7,
  last_14_days: 14,
  last_28_days: 28,
};

export function daysOf(window: RuleWindow): Days {
  if (window === 'today') return { first: 0, last: 0 };
  if (window === 'lifetime') return { first: null, last: 0 };
  return { first: -LENGTHS[window], last: -1 };
}

/** As long, right before it. */
export function daysBefore(window: Exclude<RuleWindow, 'lifetime'>): Days {
  if (window === 'today') return daysOf('yesterday');
  return { first: -2 * LENGTHS[window], last: -LENGTHS[window] - 1 };
}

export function lengthOf(window: Exclude<RuleWindow, 'lifetime'>): number {
  return window === 'today' ? 1 : LENGTHS[window];
}
