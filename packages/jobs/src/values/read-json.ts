/** Bodies of stored messages, which any program may have written. */

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

/** The value of a JSON body; `undefined` for an empty body and for one that is not JSON. Never throws. */
export function readJson(message: StoredBody): unknown {
  if (message.data.length === 0) return undefined;
  try {
    return message.json();
  } catch {
    return undefined;
  }
}
