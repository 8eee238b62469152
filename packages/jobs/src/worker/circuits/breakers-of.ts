/** Builds the circuit breakers of a worker: nothing where no contract declares one. */
import type { ControlWatch } from '../../control/control-watch.js';
import type { Resources } from '../../resources/resources.js';
import type { TaskContract } from '../../task/define-task.js';
import type { TaskDefaults } from '../../task/task-defaults.js';
import type { Logger } from '../../telemetry/logger.js';
import type { TaskHandler } from '../registry.js';
import { Breakers, type BreakersParts } from './breakers.js';
import type { BreakerContract } from './circuit-of-task.js';

export interface BreakersSources {
  registry: ReadonlyMap<string, TaskHandler>;
  resources: Pick<Resources, 'connection' | 'publisher' | 'streams' | 'names' | 'clock' | 'topology'>;
  control: Pick<ControlWatch, 'knownCircuits'>;
  defaults: TaskDefaults;
  logger: Logger;
}

/** A task that was lost is delivered again before this time beyond its limit, in ack waits. */
const LEASE_BEYOND_LIMIT = 3;

export function breakersOf({
  registry,
  resources,
  control,
  defaults,
  logger,
}: BreakersSources): ((admission: Pick<BreakersParts, 'hold' | 'postpone'>) => Breakers) | undefined {
  const contracts = new Map(
    [...registry].flatMap(([task, { contract }]) => (hasBreaker(contract) ? [[task, contract]] : [])),
  );
  if (contracts.size === 0) return undefined;
  const { connection, publisher, streams, names, clock, topology } = resources;
  return ({ hold, postpone }) =>
    new Breakers({
      connection,
      publisher,
      streams,
      names,
      now: () => clock.now(),
      contracts,
      known: () => control.knownCircuits,
      leaseMs: ({ limits }) =>
        (limits.timeLimitMs ?? defaults.timeLimitMs) + topology.ackWaitMs * LEASE_BEYOND_LIMIT,
      unreachableForMs: ({ retry }) => retry.unreachableForMs ?? defaults.unreachableForMs,
      hold,
      postpone,
      logger,
    });
}

function hasBreaker(contract: TaskContract): contract is BreakerContract {
  return contract.breaker !== undefined;
}
