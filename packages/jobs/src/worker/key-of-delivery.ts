/** The key of a task that a worker was handed, by its payload. Nothing here throws: the key may come from code of the contract's author. */
import type { TaskContract } from '../task/define-task.js';
import type { PayloadKey } from '../task/payload-key.js';
import type { Delivery } from './delivery.js';

/** All tasks share it whose key cannot be told. */
const UNKNOWN_KEY = '(the key function failed)';

export interface KeyedPayload {
  readonly raw: unknown;
  /** As the schema returns it, where a key wants that. */
  readonly parsed: unknown;
}

/** `undefined` for a payload that its contract refuses. */
export function payloadOf(
  contract: TaskContract,
  keys: readonly Pick<PayloadKey, 'needsParsed'>[],
  message: Delivery['message'],
): KeyedPayload | undefined {
  try {
    const raw: unknown = message.json();
    if (!keys.some(({ needsParsed }) => needsParsed)) return { raw, parsed: undefined };
    const { data: parsed } = contract.input.safeParse(raw);
    return parsed === undefined ? undefined : { raw, parsed };
  } catch {
    return undefined;
  }
}

/** The tenant of the subject, else the one that the payload names. */
export function tenantFor(
  contract: TaskContract,
  tenant: string | undefined,
  { raw, parsed }: KeyedPayload,
): string | undefined {
  if (tenant !== undefined) return tenant;
  try {
    return contract.tenantOf(parsed ?? raw);
  } catch {
    return undefined;
  }
}

/** `undefined`: it has none. @param onBroken receives what a key function throws */
export function keyFor(
  key: PayloadKey,
  { raw, parsed }: KeyedPayload,
  tenant: string | undefined,
  onBroken: (error: unknown) => void,
): string | undefined {
  try {
    return key.keyOf(key.needsParsed ? parsed : raw, tenant);
  } catch (error) {
    onBroken(error);
    return UNKNOWN_KEY;
  }
}
