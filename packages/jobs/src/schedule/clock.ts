/** The time that a scheduler goes by. */
import { setTimeout as delay } from 'node:timers/promises';

export interface ScheduleClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Where it begins, if that is in the past, in milliseconds since 1970: entries that are further on are taken back to it. */
  readonly beginsAt?: number;
  /** Resolves when so much of this clock's time has passed, or the signal aborts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Timers hold at most 2³¹ − 1 milliseconds. */
const MAX_WAIT_MS = 2 ** 31 - 1;

export const REAL_CLOCK: ScheduleClock = Object.freeze({
  now: () => Date.now(),
  wait: (milliseconds: number, signal: AbortSignal) =>
    delay(Math.min(milliseconds, MAX_WAIT_MS), undefined, { signal }).catch(() => undefined),
});

/**
 * Runs through the time since `from` at `speed` times its pace, and in step with the real time once it has caught up: so that a day of the
 * schedule can be watched in minutes.
 */
export function fastClock(from: Date, speed: number): ScheduleClock {
  const startedAt = Date.now();
  const now = (): number => Math.min(Date.now(), from.getTime() + (Date.now() - startedAt) * speed);
  return {
    now,
    beginsAt: from.getTime(),
    wait: (milliseconds, signal) =>
      REAL_CLOCK.wait(now() < Date.now() ? milliseconds / speed : milliseconds, signal),
  };
}
