/** Decides which due ticks run and which are missed. Pure arithmetic. */
import type { Cadence } from './cadence.js';
import type { ScheduleEntry } from './entry.js';

export interface TickPlan {
  /** Ticks to run, oldest first, in milliseconds since 1970. */
  due: number[];
  /** Ticks that are too old to run: the first, the last, and a lower bound of their number. */
  missed: { since: number; until: number; count: number } | undefined;
  /** The last tick that this plan covers; `undefined` if none is due. */
  last: number | undefined;
}

export type TickPolicy = Pick<ScheduleEntry, 'starting_deadline_ms' | 'catch_up' | 'catch_up_window_ms'>;

/** A longer catch-up is cut to the newest ticks. */
const MAX_TICKS = 10_000;

/**
 * Plans the ticks in (since, now]. Ticks within the starting deadline run. Of the older ones the policy runs none, the latest, or all
 * within the catch-up window.
 */
export function planTicks(cadence: Cadence, policy: TickPolicy, since: number, now: number): TickPlan {
  const first = cadence.next(since);
  if (first > now) return { due: [], missed: undefined, last: undefined };
  const { starting_deadline_ms: deadline, catch_up: catchUp, catch_up_window_ms: window } = policy;
  const reach = catchUp === 'all' ? Math.max(window, deadline) : deadline;
  let due = ticksBetween(cadence, Math.max(since, now - reach - 1), now);
  if (catchUp === 'latest' && due.length === 0) {
    due = latestTick(cadence, Math.max(since, now - window - 1), now, deadline);
  }
  const [oldest] = due;
  const last = due.at(-1) ?? lastTickBefore(cadence, since, now, deadline);
  if (oldest === first) return { due, missed: undefined, last };
  const until = oldest === undefined ? last : lastTickBefore(cadence, since, oldest - 1, deadline);
  return { due, missed: { since: first, until, count: countTicks(cadence, since, until) }, last };
}

/** The newest `MAX_TICKS` in (since, now]. */
function ticksBetween(cadence: Cadence, since: number, now: number): number[] {
  const ticks: number[] = [];
  for (let tick = cadence.next(since); tick <= now; tick = cadence.next(tick)) {
    ticks.push(tick);
    if (ticks.length > MAX_TICKS) ticks.shift();
  }
  return ticks;
}

function latestTick(cadence: Cadence, since: number, now: number, step: number): number[] {
  return cadence.next(since) > now ? [] : [lastTickBefore(cadence, since, now, step)];
}

/** Doubles the span that it searches, so that a frequent entry costs no walk over a long outage. Expects a tick after `since`. */
function lastTickBefore(cadence: Cadence, since: number, now: number, step: number): number {
  for (let back = step; ; back *= 8) {
    const from = Math.max(since, now - back);
    let last: number | undefined;
    for (let tick = cadence.next(from); tick <= now; tick = cadence.next(tick)) last = tick;
    if (last !== undefined) return last;
    if (from === since) return cadence.next(since);
  }
}

/** Exact for few ticks, a lower bound for many: people read the number, no code depends on it. */
function countTicks(cadence: Cadence, since: number, until: number): number {
  let count = 0;
  for (let tick = cadence.next(since); tick <= until && count < MAX_COUNTED; tick = cadence.next(tick))
    count++;
  return count;
}

const MAX_COUNTED = 100;

/** Milliseconds in [0, jitterMs), constant for a tick of an entry (FNV-1a). */
export function jitterOf(entry: string, tick: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  let hash = 0x811c9dc5;
  for (const char of `${entry} ${tick}`)
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash % jitterMs;
}
