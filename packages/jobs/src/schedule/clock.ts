/** The clock of a scheduler. */
import { setTimeout as delay } from 'node:timers/promises';
import { MAX_TIMER_MS, rate, requireInstant } from '../values/bounds.js';

export interface ScheduleClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Start of a clock that begins in the past, in milliseconds since 1970. Entries that are ahead of it are rewound to it. */
  readonly beginsAt?: number;
  /** How many times as fast as real time it runs, until it has caught up. Default 1. */
  readonly speed?: number;
  /** Resolves when this much time has passed on this clock, or the signal aborts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

const clockSpeed = rate.within({ min: 1 });

export const REAL_CLOCK: ScheduleClock = Object.freeze({
  now: () => Date.now(),
  wait: (milliseconds: number, signal: AbortSignal) =>
    delay(Math.min(milliseconds, MAX_TIMER_MS), undefined, { signal }).catch(() => undefined),
});

/**
 * Starts at `from`, runs at `speed` times real time, and keeps real time once it has caught up. A day of the schedule can then be watched
 * in minutes.
 */
export function fastClock(from: Date, speed: number): ScheduleClock {
  requireInstant('from', from);
  clockSpeed.require('speed', speed);
  const startedAt = Date.now();
  const now = (): number => Math.min(Date.now(), from.getTime() + (Date.now() - startedAt) * speed);
  return {
    now,
    beginsAt: from.getTime(),
    speed,
    wait: (milliseconds, signal) =>
      REAL_CLOCK.wait(now() < Date.now() ? milliseconds / speed : milliseconds, signal),
  };
}
