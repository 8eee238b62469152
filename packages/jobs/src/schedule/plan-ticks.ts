/** Decides which due ticks run and which are missed, a slice at a time. Pure arithmetic. */
import type { Cadence } from './cadence.js';
import type { ScheduleEntry } from './entry.js';

export interface TickPlan {
  /** Ticks to run, oldest first, in milliseconds since 1970: at most `MAX_SLICE`. */
  due: number[];
  /** Ticks that are too old to run: the first, the last, and a lower bound of their number. */
  missed: { since: number; until: number; count: number } | undefined;
  /** The last tick that this plan covers; `undefined` if none is due. */
  last: number | undefined;
  /** Where the next slice begins to reach; `undefined` once everything up to now is covered. */
  reachedFrom: number | undefined;
}

export type TickPolicy = Pick<ScheduleEntry, 'starting_deadline_ms' | 'catch_up' | 'catch_up_window_ms'>;

/** Ticks of one plan. What remains is planned after these have been recorded, and other entries get their turn. */
export const MAX_SLICE = 100;
const MAX_COUNTED = 100;
/** No two ticks of an entry are closer. */
const SHORTEST_GAP_MS = 1_000;

/**
 * Plans the first ticks in (since, now]. Ticks within the starting deadline run. Of the older ones the policy runs none, the latest, or all
 * within the catch-up window.
 * @param reachedFrom of the slice before, so that ticks within its reach do not grow too old while they are caught up
 */
export function planTicks(
  cadence: Cadence,
  policy: TickPolicy,
  since: number,
  now: number,
  reachedFrom = Infinity,
): TickPlan {
  const first = cadence.next(since);
  if (first > now) return { due: [], missed: undefined, last: undefined, reachedFrom: undefined };
  const { starting_deadline_ms: deadline, catch_up: catchUp, catch_up_window_ms: window } = policy;
  const reach = catchUp === 'all' ? Math.max(window, deadline) : deadline;
  const from = Math.min(now - reach - 1, reachedFrom);
  let due = ticksBetween(cadence, Math.max(since, from), now);
  if (catchUp === 'latest' && due.length === 0) {
    const latest = lastTickUpTo(cadence, since, now);
    if (latest >= now - window) due = [latest];
  }
  const [oldest] = due;
  const last = due.at(-1) ?? lastTickUpTo(cadence, since, now);
  const more = due.length === MAX_SLICE ? from : undefined;
  if (oldest === first) return { due, missed: undefined, last, reachedFrom: more };
  const until = oldest === undefined ? last : lastTickUpTo(cadence, since, oldest - 1);
  return {
    due,
    missed: { since: first, until, count: countTicks(cadence, since, until) },
    last,
    reachedFrom: more,
  };
}

/** The oldest ticks in (since, now]. */
function ticksBetween(cadence: Cadence, since: number, now: number): number[] {
  const ticks: number[] = [];
  for (let tick = cadence.next(since); tick <= now && ticks.length < MAX_SLICE; tick = cadence.next(tick))
    ticks.push(tick);
  return ticks;
}

/** Searches backwards in growing steps, then halves the step: a frequent entry costs no walk over a long outage. Expects a tick in (since, now]. */
function lastTickUpTo(cadence: Cadence, since: number, now: number): number {
  let low = since;
  for (let back = SHORTEST_GAP_MS; now - back > since; back *= 4) {
    if (cadence.next(now - back) > now) continue;
    low = now - back;
    break;
  }
  let high = now;
  while (high - low > SHORTEST_GAP_MS) {
    const middle = Math.floor((low + high) / 2);
    if (cadence.next(middle) <= now) low = middle;
    else high = middle;
  }
  let last = cadence.next(low);
  for (let tick = cadence.next(last); tick <= now; tick = cadence.next(tick)) last = tick;
  return last;
}

/** Exact for few ticks, a lower bound for many: people read the number, no code depends on it. */
function countTicks(cadence: Cadence, since: number, until: number): number {
  let count = 0;
  for (let tick = cadence.next(since); tick <= until && count < MAX_COUNTED; tick = cadence.next(tick))
    count++;
  return count;
}

/** Milliseconds in [0, jitterMs), constant for a tick of an entry (FNV-1a). */
export function jitterOf(entry: string, tick: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  let hash = 0x811c9dc5;
  for (const char of `${entry} ${tick}`)
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash % jitterMs;
}
