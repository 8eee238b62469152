import { setTimeout as delay } from 'node:timers/promises';

/** Waits for this time, in milliseconds; `false` when it is aborted first. Keeps no process alive. */
export async function passed(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}
