/**
 * Limits by key: of the tasks whose payloads give the same key, so many run at once, or start in a while, over all workers together. The key is
 * read from the payload by paths, which can be shown to people, or by a function.
 */
import { JobsError } from '../errors.js';
import { keyConcurrency, rate, ratePeriod } from '../values/bounds.js';
import { parseRate, type Rate } from '../values/rate.js';
import { requireToken } from '../wire/names.js';
import { resolvePayloadKey, type PayloadKey, type PayloadKeyOptions } from './payload-key.js';

/** @template Payload what the handler receives */
export interface KeyLimitOptions<Payload> {
  /** For people and commands, unique within the task. Default: the last field of the path; a function needs a name. */
  name?: string;
  /**
   * What is limited together. A task whose path leads to nothing, or to an object, has no key and is not limited; with several paths each has
   * to lead to a value.
   */
  key: PayloadKeyOptions<Payload>;
  /** Tasks of one key that run at once, 1 to 500. */
  concurrency?: number;
  /** Starts of tasks of one key: `500/h`, `10/s`, `100/5m`. */
  rate?: string | Rate;
}

/** A limit as the contract declares it, checked. */
export interface KeyLimit extends PayloadKey {
  readonly name: string;
  readonly concurrency?: number;
  readonly rate?: Rate;
}

const MAX_LIMITS = 4;

/** @throws JobsError `invalid_options` that names the limit */
export function resolveKeyLimits<Payload>(
  task: string,
  options: readonly KeyLimitOptions<Payload>[] = [],
  sensitive: readonly string[] = [],
): readonly KeyLimit[] {
  if (options.length > MAX_LIMITS)
    throw invalid(task, `has ${options.length} limits by key; a task has at most ${MAX_LIMITS}`);
  const limits = options.map((each) => resolve(task, each, sensitive));
  const names = new Set(limits.map(({ name }) => name));
  if (names.size !== limits.length) throw invalid(task, 'has two limits by key of the same name');
  return Object.freeze(limits);
}

function resolve<Payload>(
  task: string,
  { name, key, concurrency, rate: text }: KeyLimitOptions<Payload>,
  sensitive: readonly string[],
): KeyLimit {
  const payloadKey = resolvePayloadKey(key, sensitive, (problem) =>
    invalid(task, `a limit by key ${problem}`),
  );
  const { paths } = payloadKey;
  const given = name ?? paths?.at(-1)?.split('.').at(-1);
  if (given === undefined) throw invalid(task, 'has a limit by a function without a name');
  const place = `Task "${task}": the limit "${given}"`;
  const starts = typeof text === 'string' ? parseRate(text) : text;
  if (text !== undefined && (starts === undefined || !isRate(starts)))
    throw invalid(task, `the rate of the limit "${given}" must be such as 10/s, 500/h or 100/5m`);
  if (concurrency === undefined && starts === undefined)
    throw invalid(task, `the limit "${given}" needs a concurrency or a rate`);
  return Object.freeze({
    name: requireToken(given, `${place}: its name`),
    ...payloadKey,
    ...(concurrency === undefined
      ? {}
      : { concurrency: keyConcurrency.require(`${place}: concurrency`, concurrency) }),
    ...(starts === undefined ? {} : { rate: starts }),
  });
}

function isRate({ limit, perMs }: Rate): boolean {
  return rate.includes(limit) && ratePeriod.includes(perMs);
}

function invalid(task: string, problem: string): JobsError {
  return new JobsError('invalid_options', `Task "${task}": ${problem}.`, { details: { task } });
}
