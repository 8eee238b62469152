/** Carries a thrown value between threads: a structured clone keeps neither an error's class nor its own properties. */
import * as errors from '../errors.js';
import { errorRecord } from '../record/error-record.js';
import { fieldOf, isError, toJsonValue } from '../values/any-value.js';

export type Thrown =
  | { kind: 'value'; value: unknown }
  | {
      kind: 'error';
      name: string;
      message: string;
      stack: string | undefined;
      cause: Thrown | undefined;
      /** Own properties that can be cloned, such as `code` and `retryable`. */
      own: Record<string, unknown>;
    };

/** Kept in addition to the own properties. */
const STANDARD = new Set(['name', 'message', 'stack', 'cause']);

/** A longer chain of causes is cut, because it may be circular. */
const MAX_CAUSES = 8;

/** Classes that are restored, so that `instanceof` holds on the other side. */
const PROTOTYPES: ReadonlyMap<string, object> = new Map(
  [...Object.values(errors), TypeError, RangeError, SyntaxError, ReferenceError].map((type) => [
    type.name,
    type.prototype,
  ]),
);

export function packThrown(thrown: unknown, depth = 0): Thrown {
  if (!isError(thrown)) {
    return { kind: 'value', value: isCloneable(thrown) ? thrown : toJsonValue(thrown) };
  }
  const { type, message, stack } = errorRecord(thrown, false);
  const cause = fieldOf(thrown, 'cause');
  return {
    kind: 'error',
    // Also inherited ones.
    name: type,
    message,
    stack: stack ?? undefined,
    cause: cause === undefined || depth === MAX_CAUSES ? undefined : packThrown(cause, depth + 1),
    own: ownFields(thrown),
  };
}

function ownFields(error: Error): Record<string, unknown> {
  try {
    const fields = Object.keys(error).map((key) => [key, fieldOf(error, key)] as const);
    return Object.fromEntries(fields.filter(([key, value]) => !STANDARD.has(key) && isCloneable(value)));
  } catch {
    return {};
  }
}

export function unpackThrown(thrown: Thrown): unknown {
  if (thrown.kind === 'value') return thrown.value;
  const { name, message, stack, cause, own } = thrown;
  const error = new Error(message, cause === undefined ? undefined : { cause: unpackThrown(cause) });
  Object.setPrototypeOf(error, PROTOTYPES.get(name) ?? Error.prototype);
  Object.assign(error, own);
  if (error.name !== name) error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

function isCloneable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
