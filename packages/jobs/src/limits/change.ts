/** A change of a limit by key at run time. */
import type { KeyLimitSetting } from '../control/entries.js';
import { JobsError } from '../errors.js';
import { keyConcurrency, rate, ratePeriod } from '../values/bounds.js';
import type { Rate } from '../values/rate.js';

/** An absent field leaves what the contract says; `null` lifts the limit. */
export interface KeyLimitChange {
  /** Tasks of one key at once. */
  concurrency?: number | null;
  /** Starts of tasks of one key. */
  rate?: Rate | null;
}

/** What is stored for a change. @throws JobsError `invalid_options` that names the field and its bounds */
export function settingOf(
  task: string,
  name: string,
  { concurrency: most, rate: starts }: KeyLimitChange,
): KeyLimitSetting {
  if (most === undefined && starts === undefined)
    throw new JobsError('invalid_options', 'Give a concurrency, a rate, or both.');
  return {
    task,
    name,
    ...(most === undefined
      ? {}
      : { concurrency: most === null ? 0 : keyConcurrency.require('concurrency', most) }),
    ...(starts === undefined ? {} : starts === null ? { limit: 0 } : rateSetting(starts)),
  };
}

function rateSetting({ limit, perMs }: Rate): Pick<KeyLimitSetting, 'limit' | 'perMs'> {
  return { limit: rate.require('rate.limit', limit), perMs: ratePeriod.require('rate.perMs', perMs) };
}
