/** What a contract says of debouncing, in the options of one task. */
import type { EnqueueOptions } from '../message/compose-task.js';
import type { DebounceOptions } from '../task/contract-debounce.js';
import { parsePayload, type TaskContract } from '../task/define-task.js';

/** Options by which a caller chooses the task or its time: such a task is not debounced. */
const CHOSEN = ['id', 'unique', 'uniqueKey', 'uniqueForMs', 'delayMs', 'eta', 'debounce'] as const;

/**
 * The options of one task, with what its contract says of debouncing.
 * @param payload that the contract accepts
 * @throws what the contract's key function throws
 */
export function withContractDebounce(
  contract: TaskContract,
  payload: unknown,
  options: EnqueueOptions,
): EnqueueOptions {
  if (contract.debounce === undefined || CHOSEN.some((name) => options[name] !== undefined)) return options;
  const debounce = contractDebounceOf(contract, payload, options.tenant);
  return debounce === undefined ? options : { ...options, debounce };
}

/** `undefined`: the contract does not debounce, or the task has no key. @throws what the contract's key function throws */
export function contractDebounceOf(
  contract: TaskContract,
  payload: unknown,
  tenant?: string | number,
): DebounceOptions | undefined {
  if (contract.debounce === undefined) return undefined;
  const { key: of, ...times } = contract.debounce;
  const parsed = parsePayload(contract, payload);
  const key = of.keyOf(of.needsParsed ? parsed : payload, tenant?.toString() ?? contract.tenantOf(parsed));
  return key === undefined ? undefined : { key, ...times };
}
