/** Which circuit a task depends on, and its place in the line before it. */
import { circuitId } from '../../circuits/circuit-id.js';
import type { CircuitOf } from '../../circuits/circuits.js';
import type { Breaker } from '../../task/breaker.js';
import type { TaskContract } from '../../task/define-task.js';
import { shownKey } from '../../task/key-text.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Delivery } from '../delivery.js';
import { keyFor, payloadOf, tenantFor } from '../key-of-delivery.js';

export type BreakerContract = TaskContract & { readonly breaker: Breaker };

/** `undefined` for a task without a key, and for a payload that its contract refuses: it does not run. Never throws. */
export function circuitOfTask(
  contract: BreakerContract,
  { subject, message }: Delivery,
  logger: Logger,
): CircuitOf | undefined {
  const { service, key: of, ...settings } = contract.breaker;
  if (of === undefined) return { id: circuitId(service, undefined), service, key: '', settings };
  const payload = payloadOf(contract, [of], message);
  if (payload === undefined) return undefined;
  const key = keyFor(of, payload, tenantFor(contract, subject.tenant, payload), (error) =>
    logger.warn(
      { err: error, service },
      'the key of a breaker could not be told; such tasks share a circuit',
    ),
  );
  return key === undefined
    ? undefined
    : { id: circuitId(service, key), service, key: shownKey(key), settings };
}

/** For lines of a log. */
export function nameOf({ service, key }: CircuitOf): { service: string; key?: string } {
  return key === '' ? { service } : { service, key };
}
