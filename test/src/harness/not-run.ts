/** Tests that this machine cannot run. */
import type { TestContext } from 'vitest';

declare module 'vitest' {
  export interface TaskMeta {
    /** Why the test did not run, and what to do: the summary of `npm test` repeats it. */
    notRun?: string;
  }
}

/** Skips the test, and leaves the reason for the summary of `npm test`. */
export function skipNotRun({ task, skip }: TestContext, reason: string): never {
  task.meta.notRun = reason;
  return skip(reason);
}
