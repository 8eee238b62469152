/** Carries a thrown value between threads: a structured clone keeps neither an error's class nor its own properties. */
import { inspect } from 'node:util';
import * as errors from '../errors.js';

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
  if (!(thrown instanceof Error)) {
    return { kind: 'value', value: isCloneable(thrown) ? thrown : inspect(thrown) };
  }
  return {
    kind: 'error',
    // Also inherited ones.
    name: thrown.name,
    message: thrown.message,
    stack: thrown.stack,
    cause:
      thrown.cause === undefined || depth === MAX_CAUSES ? undefined : packThrown(thrown.cause, depth + 1),
    own: Object.fromEntries(
      Object.entries(thrown).filter(([key, value]) => !STANDARD.has(key) && isCloneable(value)),
    ),
  };
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
