/** Waits for as long as something becomes less. */
import { setTimeout as delay } from 'node:timers/promises';

/** Nothing stands still for so long, on a busy machine either, in milliseconds. */
const NO_PROGRESS_MS = 120_000;

/**
 * Whether nothing is left in the end; `false` when it becomes no less.
 * @param left `undefined`: not known at the moment
 * @param looks in a row that have to find nothing
 */
export async function isUsedUp(
  left: () => Promise<number | undefined>,
  { looks = 1, everyMs }: { looks?: number; everyMs: number },
): Promise<boolean> {
  let least = Infinity;
  let progressAt = performance.now();
  for (let found = 0; ;) {
    const now = await left();
    found = now === 0 ? found + 1 : 0;
    if (found === looks) return true;
    if (now !== undefined && now < least) [least, progressAt] = [now, performance.now()];
    if (performance.now() - progressAt > NO_PROGRESS_MS) return false;
    await delay(everyMs);
  }
}
