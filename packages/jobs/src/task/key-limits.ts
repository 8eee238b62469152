/**
 * Limits by key: of the tasks whose payloads give the same key, so many run at once, or start in a while, over all workers together. The key is
 * read from the payload by paths, which can be shown to people, or by a function.
 */
import { createHash } from 'node:crypto';
import { JobsError } from '../errors.js';
import { cut } from '../values/any-value.js';
import { keyConcurrency, rate, ratePeriod } from '../values/bounds.js';
import { parseRate, type Rate } from '../values/rate.js';
import { requireToken } from '../wire/names.js';
import { isSensitive } from './sensitive.js';

/** `tenant`, or a field of the payload such as `payload.account.id`. */
export type KeyPath = 'tenant' | `payload.${string}`;

/** @template Payload what the handler receives */
export interface KeyLimitOptions<Payload> {
  /** For people and commands, unique within the task. Default: the last field of the path; a function needs a name. */
  name?: string;
  /**
   * What is limited together. A task whose path leads to nothing, or to an object, has no key and is not limited; with several paths each has
   * to lead to a value.
   */
  key:
    | KeyPath
    | readonly KeyPath[]
    | ((payload: Payload, of: { tenant?: string }) => string | number | undefined);
  /** Tasks of one key that run at once, 1 to 500. */
  concurrency?: number;
  /** Starts of tasks of one key: `500/h`, `10/s`, `100/5m`. */
  rate?: string | Rate;
}

/** A limit as the contract declares it, checked. */
export interface KeyLimit {
  readonly name: string;
  /** The paths; absent for a function. */
  readonly paths?: readonly KeyPath[];
  readonly concurrency?: number;
  readonly rate?: Rate;
  /** The key of a task; `undefined`: it is not limited. May throw what a function throws. */
  readonly keyOf: (payload: unknown, tenant: string | undefined) => string | undefined;
  /** `keyOf` wants the payload as the schema returns it. */
  readonly needsParsed: boolean;
}

const MAX_LIMITS = 4;
const MAX_PATHS = 4;
const MAX_DEPTH = 8;
/** Of a key as people see it. */
const SHOWN = 100;

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
  const paths = typeof key === 'function' ? undefined : pathsOf(task, key, sensitive);
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
    ...(paths === undefined ? {} : { paths }),
    ...(concurrency === undefined
      ? {}
      : { concurrency: keyConcurrency.require(`${place}: concurrency`, concurrency) }),
    ...(starts === undefined ? {} : { rate: starts }),
    needsParsed: paths === undefined,
    keyOf: (payload: unknown, tenant: string | undefined) => {
      if (paths !== undefined) return keyAt(paths, payload, tenant);
      if (typeof key !== 'function') return undefined;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the worker has parsed the payload with the contract's schema
      const value: unknown = key(payload as Payload, tenant === undefined ? {} : { tenant });
      return textOf(value);
    },
  });
}

function isRate({ limit, perMs }: Rate): boolean {
  return rate.includes(limit) && ratePeriod.includes(perMs);
}

function pathsOf(
  task: string,
  key: KeyPath | readonly KeyPath[],
  sensitive: readonly string[],
): readonly KeyPath[] {
  const paths: readonly KeyPath[] = typeof key === 'string' ? [key] : key;
  if (paths.length === 0 || paths.length > MAX_PATHS)
    throw invalid(task, `a limit by key has 1 to ${MAX_PATHS} paths`);
  for (const path of paths) {
    const [root, ...fields] = path.split('.');
    const isRight = root === 'tenant' ? fields.length === 0 : root === 'payload' && fields.length > 0;
    if (!isRight || fields.length > MAX_DEPTH || fields.includes(''))
      throw invalid(task, `"${cut(path, SHOWN)}" must be "tenant", or "payload." and a field`);
    const secret = fields.find((field) => isSensitive(field, sensitive));
    if (secret !== undefined)
      throw invalid(task, `a limit by key would show the field "${secret}", which is sensitive`);
  }
  return Object.freeze([...paths]);
}

/** The values at the paths, as one text. */
function keyAt(paths: readonly KeyPath[], payload: unknown, tenant: string | undefined): string | undefined {
  const values = paths.map((path) => (path === 'tenant' ? tenant : textOf(valueAt(path, payload))));
  if (!values.every((value) => value !== undefined)) return undefined;
  // JSON, so that no two lists of values make the same text.
  return values.length === 1 ? values[0] : JSON.stringify(values);
}

/** Own fields alone: a payload has no `constructor` that it was not sent with. */
function valueAt(path: string, payload: unknown): unknown {
  let value = payload;
  for (const field of path.split('.').slice(1)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
    value = Reflect.get(value, field);
  }
  return value;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** A key of any length as one token of a subject. */
export function keyToken(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 32);
}

/** A key for people: one line, cut. */
export function shownKey(key: string): string {
  return cut(key.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, ' '), SHOWN);
}

function invalid(task: string, problem: string): JobsError {
  return new JobsError('invalid_options', `Task "${task}": ${problem}.`, { details: { task } });
}
