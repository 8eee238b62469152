/** Debouncing that a contract asks for: of its tasks with one key that come in quick succession the last one runs. */
import { JobsError } from '../errors.js';
import { debounceQuiet, duration } from '../values/bounds.js';
import { resolvePayloadKey, type PayloadKey, type PayloadKeyOptions } from './payload-key.js';

/** A task of which only the last of several runs. */
export interface DebounceOptions {
  /** Any text. Tasks of another name, or of another tenant, have keys of their own. */
  key: string;
  /** The last task starts once no other has come for so long, in milliseconds; at least 1,000. */
  quietMs: number;
  /** It starts at the latest so long after the first of them, in milliseconds. Default: as long as others come, it waits. */
  maxMs?: number;
}

/** @template Payload what the handler receives */
export interface ContractDebounceOptions<Payload> extends Omit<DebounceOptions, 'key'> {
  /** As in limits by key. A task without a key is not debounced. */
  key: PayloadKeyOptions<Payload>;
}

/** As the contract declares it, checked. */
export interface ContractDebounce extends Omit<DebounceOptions, 'key'> {
  readonly key: PayloadKey;
}

/** @throws JobsError `invalid_options` that names the field */
export function resolveContractDebounce<Payload>(
  task: string,
  { key, quietMs, maxMs }: ContractDebounceOptions<Payload>,
  sensitive: readonly string[],
): ContractDebounce {
  const place = `Task "${task}": debounce`;
  const quiet = debounceQuiet.require(`${place}.quietMs`, quietMs);
  return Object.freeze({
    key: resolvePayloadKey(
      key,
      sensitive,
      (problem) =>
        new JobsError('invalid_options', `Task "${task}": the key of its debounce ${problem}.`, {
          details: { task },
        }),
    ),
    quietMs: quiet,
    ...(maxMs === undefined
      ? {}
      : { maxMs: duration.within({ min: quiet }).require(`${place}.maxMs`, maxMs) }),
  });
}
