/** Builds the limits by key of a worker: nothing where no contract declares any. */
import type { ControlWatch } from '../../control/control-watch.js';
import type { Resources } from '../../resources/resources.js';
import type { Logger } from '../../telemetry/logger.js';
import type { TaskHandler } from '../registry.js';
import { KeyLimits, type KeyLimitsParts } from './key-limits.js';

export interface KeyLimitsSources {
  registry: ReadonlyMap<string, TaskHandler>;
  resources: Pick<Resources, 'connection' | 'publisher' | 'streams' | 'names' | 'clock' | 'topology'>;
  control: Pick<ControlWatch, 'keyLimitOf'>;
  logger: Logger;
}

type OfAdmission = Pick<KeyLimitsParts, 'hold' | 'postpone'>;

export function keyLimitsOf({
  registry,
  resources,
  control,
  logger,
}: KeyLimitsSources): ((admission: OfAdmission) => KeyLimits) | undefined {
  const limited = [...registry].filter(([, { contract }]) => (contract.keyLimits?.length ?? 0) > 0);
  if (limited.length === 0) return undefined;
  const { connection, publisher, streams, names, clock, topology } = resources;
  return ({ hold, postpone }) =>
    new KeyLimits({
      connection,
      publisher,
      streams,
      names,
      now: () => clock.now(),
      ackWaitMs: topology.ackWaitMs,
      contracts: new Map(limited.map(([task, { contract }]) => [task, contract])),
      settingOf: (task, name) => control.keyLimitOf(task, name),
      hold,
      postpone,
      logger,
    });
}
