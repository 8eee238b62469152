/** What holds of a limit by key: what is set at run time, else what the contract says. */
import type { KeyLimitSetting } from '../control/entries.js';
import type { KeyLimit } from '../task/key-limits.js';

/** An absent field: there is no such limit. */
export function keyLimitInForce(
  limit: Pick<KeyLimit, 'concurrency' | 'rate'>,
  set: KeyLimitSetting | undefined,
): Pick<KeyLimit, 'concurrency' | 'rate'> {
  const concurrency = set?.concurrency ?? limit.concurrency ?? 0;
  const starts = set?.limit ?? limit.rate?.limit ?? 0;
  const perMs = set?.perMs ?? limit.rate?.perMs ?? 0;
  return {
    ...(concurrency > 0 ? { concurrency } : {}),
    ...(starts > 0 && perMs > 0 ? { rate: { limit: starts, perMs } } : {}),
  };
}
