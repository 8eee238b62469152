/** Bodies of stored messages, which any program may have written. */
import { findRounded, parseExactJson } from './bounded-json.js';

/** A message, or anything else with a body. */
export interface StoredBody {
  readonly data: Uint8Array;
  json(): unknown;
}

/** The value of a JSON text; `undefined` for any other text. Never throws. */
export function readJsonText(text: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof text === 'string' ? text : Buffer.from(text).toString());
  } catch {
    return undefined;
  }
}

/** As `readJsonText`, for people: a number that JavaScript would round is text with the same digits. */
export function readExactJson(text: string | Uint8Array): unknown {
  try {
    return parseExactJson(typeof text === 'string' ? text : Buffer.from(text).toString());
  } catch {
    return undefined;
  }
}

/** Why the value of a JSON body is not what its sender wrote; `undefined` when it is. The body is JSON. */
export function roundingProblem({ data }: Pick<StoredBody, 'data'>): string | undefined {
  const path = findRounded(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString());
  return (
    path &&
    `${path.join('.') || '(payload)'}: must be a number that keeps its digits; send a longer id as text`
  );
}

/** The value of a JSON body; `undefined` for an empty body and for one that is not JSON. Never throws. */
export function readJson(message: StoredBody): unknown {
  if (message.data.length === 0) return undefined;
  try {
    return message.json();
  } catch {
    return undefined;
  }
}
