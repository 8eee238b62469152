/** Which of the ticks that have come are to run, and which are missed: arithmetic only. */
import type { Cadence } from './cadence.js';
import type { ScheduleEntry } from './entry.js';

export interface TickPlan {
  /** To run, oldest first; milliseconds since 1970. */
  due: number[];
  /** Too old to run: the first and the last of them, and how many at least. */
  missed: { since: number; until: number; count: number } | undefined;
  /** The last tick that this plan deals with; `undefined` when none has come. */
  last: number | undefined;
}

export type TickPolicy = Pick<ScheduleEntry, 'starting_deadline_ms' | 'catch_up' | 'catch_up_window_ms'>;

/** A catch-up of more is cut to the newest. */
const MAX_TICKS = 10_000;

/**
 * The ticks in (since, now]. Those within the starting deadline run; of older ones none, the latest, or all within the
 * window, as the policy says.
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

/** Looks back further and further, so that a frequent entry costs no walk over a long absence. There is one after `since`. */
function lastTickBefore(cadence: Cadence, since: number, now: number, step: number): number {
  for (let back = step; ; back *= 8) {
    const from = Math.max(since, now - back);
    let last: number | undefined;
    for (let tick = cadence.next(from); tick <= now; tick = cadence.next(tick)) last = tick;
    if (last !== undefined) return last;
    if (from === since) return cadence.next(since);
  }
}

/** Exact for few, a lower bound for many: it is a figure to read, not to act on. */
function countTicks(cadence: Cadence, since: number, until: number): number {
  let count = 0;
  for (let tick = cadence.next(since); tick <= until && count < MAX_COUNTED; tick = cadence.next(tick))
    count++;
  return count;
}

const MAX_COUNTED = 100;

/** Milliseconds in [0, jitterMs), always the same for the same tick of the same entry (FNV-1a). */
export function jitterOf(entry: string, tick: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  let hash = 0x811c9dc5;
  for (const char of `${entry} ${tick}`)
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash % jitterMs;
}
