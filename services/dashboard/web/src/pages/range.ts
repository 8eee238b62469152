/** The time that a list of tasks is about: the last hours, or from one moment to another. */
import { query } from '../api.js';
import { clock } from '../format.js';

export interface Range {
  /** The last so many hours: it moves on with the clock. */
  hours?: number;
  /** RFC 3339, inclusive. */
  from?: string;
  /** Exclusive. */
  to?: string;
}

const HOUR_MS = 3_600_000;
const MAX_HOURS = 9_600;

/** What an address says; what cannot be read in it counts as absent. */
export function rangeIn(values: URLSearchParams): Range {
  const hours = Number(values.get('hours'));
  if (Number.isInteger(hours) && hours >= 1 && hours <= MAX_HOURS) return { hours };
  const [from, to] = [timeOf(values.get('from')), timeOf(values.get('to'))];
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}

function timeOf(text: string | null): string | undefined {
  const at = Date.parse(text ?? '');
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

/** Whether it is all that the history keeps. */
export function isWhole({ hours, from, to }: Range): boolean {
  return hours === undefined && from === undefined && to === undefined;
}

/** The address of a search in that time. */
export function placeOf(q: string, range: Range): string {
  return `/tasks${query({ q, ...range })}`;
}

/** As the server takes it: hours count back from now. */
export function requested({ hours, from, to }: Range): {
  from?: string | undefined;
  to?: string | undefined;
} {
  return hours === undefined ? { from, to } : { from: new Date(Date.now() - hours * HOUR_MS).toISOString() };
}

export function rangeText({ hours, from, to }: Range): string {
  if (hours !== undefined) return `The last ${hoursText(hours)}`;
  if (from === undefined) return to === undefined ? 'All' : `Until ${clock(to)}`;
  return to === undefined ? `Since ${clock(from)}` : `${clock(from)} to ${clock(to)}`;
}

function hoursText(hours: number): string {
  if (hours === 1) return 'hour';
  return hours % 24 === 0 && hours > 24 ? `${hours / 24} days` : `${hours} hours`;
}
