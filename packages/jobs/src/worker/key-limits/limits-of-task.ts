/** Which limits by key hold for a task: what its contract declares, with the task's keys, as set at run time. */
import type { KeyLimitSetting, RateLimit } from '../../control/entries.js';
import type { GateOf } from '../../limits/gates.js';
import { keyLimitInForce } from '../../limits/in-force.js';
import type { TaskContract } from '../../task/define-task.js';
import { keyToken, shownKey } from '../../task/key-text.js';
import { keyFor, payloadOf, tenantFor } from '../key-of-delivery.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Delivery } from '../delivery.js';

/** A limit of tasks of one key that run at once. */
export interface PlaceLimit {
  readonly gate: GateOf;
  /** As it is set now; infinite once it is lifted. */
  readonly concurrency: () => number;
}

export interface LimitsOfTask {
  /** In the order in which all workers ask for them. */
  readonly places: readonly PlaceLimit[];
  readonly rates: readonly RateLimit[];
}

type SettingOf = (task: string, name: string) => KeyLimitSetting | undefined;

/** The limits of a delivery; those of a payload that its contract refuses are none, because it does not run. Never throws. */
export function limitsOfTask(
  contract: TaskContract,
  { message, subject }: Delivery,
  settingOf: SettingOf,
  logger: Logger,
): LimitsOfTask {
  const payload = payloadOf(contract, contract.keyLimits ?? [], message);
  if (payload === undefined) return { places: [], rates: [] };
  const places: PlaceLimit[] = [];
  const rates: RateLimit[] = [];
  for (const limit of contract.keyLimits ?? []) {
    const key = keyFor(limit, payload, tenantFor(contract, subject.tenant, payload), (error) =>
      logger.warn(
        { err: error, limit: limit.name },
        'the key of a limit could not be told; such tasks share one',
      ),
    );
    if (key === undefined) continue;
    const id = `${contract.name}.${limit.name}.${keyToken(key)}`;
    const now = (): ReturnType<typeof keyLimitInForce> =>
      keyLimitInForce(limit, settingOf(contract.name, limit.name));
    const { concurrency, rate } = now();
    if (concurrency !== undefined)
      places.push({
        gate: { id, key: shownKey(key) },
        concurrency: () => now().concurrency ?? Infinity,
      });
    if (rate !== undefined) rates.push({ task: contract.name, ...rate, line: id });
  }
  return { places, rates };
}
