/**
 * Makes text and JSON of any JavaScript value, because handlers throw, return and report all kinds of them. Nothing here throws, whatever
 * getters, proxies and `toJSON` methods do.
 */

/** Deeper values exceed the stack of some reader: an encoder recurses once for each level. */
export const MAX_NESTING = 500;
/** Conversion stops earlier, so that what it makes still fits into records and lists. */
const KEPT_NESTING = 100;
/** Values that are visited in one conversion. A proxy can pretend to be endless. */
const MAX_VISITED = 20_000;
const UNREADABLE = '[unreadable]';
const KEPT_OF_UNKNOWN = 1_000;

export type JsonValue = string | number | boolean | null | JsonValue[] | { [field: string]: JsonValue };

/** Reads a property; `undefined` where reading it throws. */
export function fieldOf(value: unknown, name: string): unknown {
  try {
    return isObject(value) || typeof value === 'function' ? Reflect.get(value, name) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it is an error, of this realm or another copy of a class. */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

/** The value as text of at most `maxLength` characters. */
export function textOf(value: unknown, maxLength: number): string {
  if (typeof value === 'string') return cut(value, maxLength);
  if (isObject(value)) return cut(jsonOf(value), maxLength);
  // The others cannot run code of their own.
  return cut(typeof value === 'function' ? nameOfFunction(value) : String(value), maxLength);
}

/** At most `maxLength` characters, the last of which tells that there were more. */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const last = text.charCodeAt(maxLength - 2);
  const splitsPair = last >= 0xd8_00 && last <= 0xdb_ff;
  return `${text.slice(0, maxLength - (splitsPair ? 2 : 1))}…`;
}

/** The value as JSON. What JSON cannot carry is replaced: a bigint by its digits, a function by its name, a cycle by a mark. */
export function jsonOf(value: unknown): string {
  try {
    const json: string | undefined = JSON.stringify(value);
    if (json !== undefined && !isNestedTooDeep(json)) return json;
  } catch {
    // It is converted below.
  }
  return JSON.stringify(toJsonValue(value));
}

/** The same as a value that `JSON.stringify` takes. Shallow plain values come out equal to themselves. */
export function toJsonValue(value: unknown): JsonValue {
  return new Conversion().convert(value, 0);
}

/** Whether JSON text is nested deeper than `MAX_NESTING`. Costs nothing for short text. */
export function isNestedTooDeep(json: string): boolean {
  if (json.length < MAX_NESTING * 2) return false;
  let depth = 0;
  let isText = false;
  for (let index = 0; index < json.length; index++) {
    const code = json.charCodeAt(index);
    if (code === QUOTE) isText = !isText;
    else if (isText) index += code === BACKSLASH ? 1 : 0;
    else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      if (++depth > MAX_NESTING) return true;
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) depth--;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

class Conversion {
  private readonly ancestors = new Set<object>();
  private visited = 0;

  convert(value: unknown, depth: number): JsonValue {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        return Number.isFinite(value) ? value : null;
      case 'undefined':
        return null;
      case 'bigint':
      case 'symbol':
        return String(value);
      case 'function':
        return nameOfFunction(value);
      case 'object':
        return value === null ? null : this.convertObject(value, depth);
    }
    return null;
  }

  private convertObject(value: object, depth: number): JsonValue {
    if (this.ancestors.has(value)) return '[circular]';
    if (depth >= KEPT_NESTING || ++this.visited > MAX_VISITED) return '[left out]';
    this.ancestors.add(value);
    try {
      const toJson = fieldOf(value, 'toJSON');
      const own = typeof toJson === 'function' ? replacementOf(value, toJson) : undefined;
      if (own !== undefined) return this.convert(own.value, depth + 1);
      if (isError(value)) return this.convertError(value, depth);
      if (Array.isArray(value)) return value.map((item) => this.convert(item, depth + 1));
      return this.convertFields(value, depth);
    } catch {
      return UNREADABLE;
    } finally {
      this.ancestors.delete(value);
    }
  }

  private convertError(error: Error, depth: number): JsonValue {
    const named = ['name', 'message', 'stack'].map((field) => [
      field,
      this.convert(fieldOf(error, field), depth + 1),
    ]);
    return { ...Object.fromEntries(named), ...this.convertFields(error, depth) };
  }

  private convertFields(value: object, depth: number): { [field: string]: JsonValue } {
    const fields: [string, JsonValue][] = [];
    for (const name of Object.keys(value)) {
      const field = readOwn(value, name);
      if (field !== undefined) fields.push([name, this.convert(field, depth + 1)]);
      if (this.visited > MAX_VISITED) break;
    }
    return Object.fromEntries(fields);
  }
}

function replacementOf(value: object, toJson: unknown): { value: unknown } | undefined {
  try {
    return { value: Reflect.apply(Object(toJson), value, []) };
  } catch {
    return undefined;
  }
}

function readOwn(value: object, name: string): unknown {
  try {
    return Reflect.get(value, name);
  } catch {
    return UNREADABLE;
  }
}

function nameOfFunction(value: unknown): string {
  const name = fieldOf(value, 'name');
  return typeof name === 'string' && name !== '' ? `[function ${cut(name, KEPT_OF_UNKNOWN)}]` : '[function]';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
