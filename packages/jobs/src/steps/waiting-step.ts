/** A step that waits for something outside of its run. */
import { StepError } from '../errors.js';
import type { WaitsFor } from '../wire/record.js';
import type { StepEntry, StepWriter } from './entry.js';
import type { RunIdentity } from './journal.js';
import type { RunMemory } from './run-memory.js';
import type { Waits } from './waits.js';

/** A run, and what it can wait for. */
export interface RunWaits {
  run: RunIdentity;
  /** Of the run's task. */
  subject: string;
  waits: Waits;
}

/** What an attempt has come to that is not over. */
export interface OpenWait {
  /** Then the run looks again, in milliseconds since 1970. */
  until: number;
  /** `undefined`: it only sleeps. */
  facts: Omit<WaitsFor, 'others'> | undefined;
  hasArrived: () => Promise<boolean>;
}

export interface WaitingStep extends RunWaits {
  position: string;
  memory: RunMemory;
  writer: StepWriter;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
  /** Ends the branch of this attempt here. */
  suspend: (wait: OpenWait) => never;
}

/** @throws StepError when the result of the step was erased */
export function requireKept({ name, erased }: StepEntry): void {
  if (erased === true)
    throw new StepError(
      'step_erased',
      `The result of step "${name}" was erased; the task cannot go on from it.`,
    );
}
