/** Tasks that wait at the broker to be called: a task that is called comes at once, and looks by itself in case whoever was to call it has died. */
import type { Delivery } from './delivery.js';

/** The first wait, in milliseconds; longer each time. */
const LOOK_MS = 30_000;
const LONGEST_LOOK_MS = 300_000;

/** When it looks by itself, in milliseconds from now; not after it has expired. */
export function lookMs({ headers: { snoozes, expires } }: Delivery, now: number): number {
  const look = Math.min(LONGEST_LOOK_MS, LOOK_MS * 2 ** Math.min(snoozes, 10)) * (0.75 + Math.random() / 2);
  return expires === undefined ? look : Math.max(0, Math.min(look, expires.getTime() - now));
}

/** It does not run, so it needs nothing. */
export function isExpired({ headers: { expires } }: Delivery, now: number): boolean {
  return expires !== undefined && expires.getTime() <= now;
}
