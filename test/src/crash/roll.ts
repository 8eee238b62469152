/** A rolling deployment: one process after another gets today's version, the older one again because something is wrong with it, and today's for good. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Rolled } from './cast.js';

/** Parts of a run: before each of the three turns, and after them. */
const PARTS = 5;

/** Returns how many processes have changed their version. @param forMs the run, in milliseconds */
export async function rollForthAndBack(rolled: readonly Rolled[], forMs: number): Promise<number> {
  let count = 0;
  if (rolled.length === 0) return count;
  for (const version of ['today', 'older', 'today'] as const) {
    await delay(forMs / PARTS);
    for (const each of rolled) {
      each.process.become(each[version]);
      await each.process.restart();
      count++;
    }
  }
  return count;
}
