/**
 * A key that groups tasks by what their payloads say: read by paths, which can be shown to people, or by a function. Limits by key and circuit
 * breakers are kept for each.
 */
import type { JobsError } from '../errors.js';
import { cut } from '../values/any-value.js';
import { SHOWN_KEY } from './key-text.js';
import { isSensitive } from './sensitive.js';

/** `tenant`, or a field of the payload such as `payload.account.id`. */
export type KeyPath = 'tenant' | `payload.${string}`;

/**
 * A path, several of them, or a function whose result is the same in every worker.
 * @template Payload what the handler receives
 */
export type PayloadKeyOptions<Payload> =
  KeyPath | readonly KeyPath[] | ((payload: Payload, of: { tenant?: string }) => string | number | undefined);

export interface PayloadKey {
  /** The paths; absent for a function. */
  readonly paths?: readonly KeyPath[];
  /** The key of a task; `undefined`: it has none. May throw what a function throws. */
  readonly keyOf: (payload: unknown, tenant: string | undefined) => string | undefined;
  /** `keyOf` wants the payload as the schema returns it. */
  readonly needsParsed: boolean;
}

const MAX_PATHS = 4;
const MAX_DEPTH = 8;

/** @param invalid makes the error that is thrown, of what is wrong: `has 1 to 4 paths` */
export function resolvePayloadKey<Payload>(
  key: PayloadKeyOptions<Payload>,
  sensitive: readonly string[],
  invalid: (problem: string) => JobsError,
): PayloadKey {
  if (typeof key !== 'function') {
    const paths = pathsOf(key, sensitive, invalid);
    return {
      paths,
      needsParsed: false,
      keyOf: (payload, tenant) => keyAt(paths, payload, tenant),
    };
  }
  return {
    needsParsed: true,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the worker has parsed the payload with the contract's schema
    keyOf: (payload, tenant) => textOf(key(payload as Payload, tenant === undefined ? {} : { tenant })),
  };
}

function pathsOf(
  key: KeyPath | readonly KeyPath[],
  sensitive: readonly string[],
  invalid: (problem: string) => JobsError,
): readonly KeyPath[] {
  const paths: readonly KeyPath[] = typeof key === 'string' ? [key] : key;
  if (paths.length === 0 || paths.length > MAX_PATHS) throw invalid(`has 1 to ${MAX_PATHS} paths`);
  for (const path of paths) {
    const [root, ...fields] = path.split('.');
    const isRight = root === 'tenant' ? fields.length === 0 : root === 'payload' && fields.length > 0;
    if (!isRight || fields.length > MAX_DEPTH || fields.includes(''))
      throw invalid(`has the path "${cut(path, SHOWN_KEY)}"; it must be "tenant", or "payload." and a field`);
    const secret = fields.find((field) => isSensitive(field, sensitive));
    if (secret !== undefined) throw invalid(`would show the field "${secret}", which is sensitive`);
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
