/** The values that arguments and options take. Each type parses a word, or refuses it with a sentence. */
import {
  isInstant,
  JsonError,
  keyConcurrency as keyConcurrencyBounds,
  nameProblem,
  pageSize,
  parseBoundedJson,
  rate,
} from '@stratum/jobs/bounds';
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../duration.js';

export type ValueKind = 'integer' | 'decimal' | 'duration' | 'rate' | 'time' | 'json' | 'text';

export interface ValueType {
  readonly kind: ValueKind;
  /** @param previous the value so far, for an option that may be repeated. Throws `InvalidArgumentError` */
  readonly parse: (text: string, previous?: unknown) => unknown;
}

/** A whole number between two bounds, both included. */
export function integer(minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): ValueType {
  const range =
    maximum === Number.MAX_SAFE_INTEGER
      ? `a whole number of at least ${minimum}`
      : `a whole number from ${minimum} to ${maximum}`;
  return {
    kind: 'integer',
    parse: (text) => {
      const number = Number(text);
      if (/^-?\d+$/.test(text) && Number.isSafeInteger(number) && number >= minimum && number <= maximum)
        return number;
      throw new InvalidArgumentError(`Give ${range}.`);
    },
  };
}

/** A number between two bounds, both included, with or without a fraction. */
export function decimal(minimum: number, maximum: number): ValueType {
  return {
    kind: 'decimal',
    parse: (text) => {
      const number = Number(text);
      if (/^\d+(\.\d+)?$/.test(text) && number >= minimum && number <= maximum) return number;
      throw new InvalidArgumentError(`Give a number from ${minimum} to ${maximum}.`);
    },
  };
}

/** A number of items, from 1. */
export const count = integer(pageSize.min, pageSize.max);

/** Tasks of one key at once, or `none`. */
export const keyConcurrency: ValueType = {
  kind: 'integer',
  parse: (text) =>
    text === 'none' ? text : integer(keyConcurrencyBounds.min, keyConcurrencyBounds.max).parse(text),
};

/** A limit, from 0, or the word `plan`. */
export const quotaValue: ValueType = {
  kind: 'integer',
  parse: (text) => (text === 'plan' ? text : integer(0).parse(text)),
};

/** Values of one type, for an argument that may be repeated. */
export function repeated(type: ValueType): ValueType {
  return {
    ...type,
    parse: (word, previous) => [
      ...(Array.isArray(previous) ? (previous as unknown[]) : []),
      type.parse(word),
    ],
  };
}

export const port = integer(0, 65_535);

/** In milliseconds. */
export const duration: ValueType = { kind: 'duration', parse: (text) => parseDuration(text) };

/** A `Date`. */
export const time: ValueType = {
  kind: 'time',
  parse: (text) => {
    const value = new Date(text);
    if (isInstant(value.getTime())) return value;
    throw new InvalidArgumentError('Give a time from 1970 to 2200, such as 2026-11-20T03:00:00Z.');
  },
};

/** A `Date`, or `never`. */
export const expiry: ValueType = {
  ...time,
  parse: (text) => (text === 'never' ? text : time.parse(text)),
};

/** An ISO 4217 code, in capitals. */
export const currency: ValueType = {
  kind: 'text',
  parse: (text) => {
    const code = text.toUpperCase();
    if (Intl.supportedValuesOf('currency').includes(code)) return code;
    throw new InvalidArgumentError('Give an ISO 4217 currency code such as EUR.');
  },
};

/** An IANA time zone. */
export const timeZone: ValueType = {
  kind: 'text',
  parse: (text) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
    } catch {
      throw new InvalidArgumentError('Give an IANA time zone such as Europe/Zurich.');
    }
  },
};

/** What people call something. */
export const plainName: ValueType = {
  kind: 'text',
  parse: (text) => {
    const problem = nameProblem(text);
    if (problem === undefined && text.trim() !== '') return text.trim();
    throw new InvalidArgumentError(`A name ${problem ?? 'must not be empty'}.`);
  },
};

/** Any JSON value. */
export const json: ValueType = {
  kind: 'json',
  parse: (text) => {
    const value = parsed(text);
    if (value !== undefined) return value;
    throw new InvalidArgumentError('Give JSON.');
  },
};

/** Comma-separated origins of web pages, as a list. */
export const origins: ValueType = {
  kind: 'text',
  parse: (text) =>
    text.split(',').map((part) => {
      const origin = part.trim();
      if (/^https?:\/\/[^\s/]+$/.test(origin)) return origin;
      throw new InvalidArgumentError(`"${origin}" is not an origin such as https://shop.example.com.`);
    }),
};

/** A JSON object. */
export const jsonObject: ValueType = {
  kind: 'json',
  parse: (text) => {
    const value = parsed(text);
    if (isObject(value)) return value;
    throw new InvalidArgumentError(`Give a JSON object, for example '{"tenant_id":1}'.`);
  },
};

/** `name=value`, repeated: a value that is JSON is parsed, any other is text. */
export const field: ValueType = {
  kind: 'json',
  parse: (text, previous) => {
    const [, name, value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined)
      throw new InvalidArgumentError('Give a field and its value, for example tenant_id=1.');
    return { ...(isObject(previous) ? previous : {}), [name]: parsed(value) ?? value };
  },
};

/** `10/s`, `100/5m`, or `none`. */
export const rateLimit: ValueType = {
  kind: 'rate',
  parse: (text) => {
    if (text === 'none') return text;
    const [, limit, span] = /^(\d+(?:\.\d+)?)\/(\S+)$/.exec(text) ?? [];
    if (limit === undefined || span === undefined || !rate.includes(Number(limit)))
      throw new InvalidArgumentError(`Give a limit such as 10/s or 100/5m, of ${rate.description}; or none.`);
    return { limit: Number(limit), perMs: parseDuration(/^\d/.test(span) ? span : `1${span}`) };
  },
};

/** `undefined` for what is no JSON. @throws InvalidArgumentError for a number that would lose digits, and for texts that cannot be stored */
function parsed(word: string): unknown {
  try {
    return parseBoundedJson(word);
  } catch (error) {
    if (!(error instanceof JsonError) || error.cause !== undefined) return undefined;
    const place = error.path.length === 0 ? 'The value' : error.path.join('.');
    throw new InvalidArgumentError(`${place} ${error.message}.`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
