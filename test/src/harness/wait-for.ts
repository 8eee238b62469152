/** Waits for a condition, not for a time. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
/** Conditions come true in a fraction of it, also on a machine that does other work. */
const TIMEOUT_MS = 90_000;

/** Resolves with the first value that is neither `undefined` nor `false`. Rejects after the time-out, saying what it waited for. */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = TIMEOUT_MS,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}`);
    await delay(POLL_MS);
  }
}
