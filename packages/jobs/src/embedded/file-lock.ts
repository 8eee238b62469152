/** A lock between processes: a folder, which only one of them can create. */
import { mkdir, rm, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 200;
/** Longer than any download takes. The owner of an older lock was killed. */
const STALE_AFTER_MS = 10 * 60_000;

/** Waits for the lock, and runs `work` while holding it. */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  while (!(await acquire(path))) await delay(POLL_MS);
  try {
    return await work();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

async function acquire(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    const held = await stat(path).catch(() => undefined);
    if (held && Date.now() - held.mtimeMs > STALE_AFTER_MS) await rm(path, { recursive: true, force: true });
    return false;
  }
}
