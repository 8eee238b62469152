/**
 * JSON from outside. One pass over the text counts what would cost time and memory once it is parsed, and finds the numbers that parsing
 * would round; only then is it parsed.
 */
import { findUnstorable } from './text.js';

export interface JsonBounds {
  /** Levels of nesting. */
  depth: number;
  /** Names of fields, in total. */
  keys: number;
  /** Different names of fields: parsing makes a table of them, which costs ten times as much as the text. */
  names: number;
  /** Values, in total. */
  nodes: number;
}

/** Enough for a workflow of 10,000 members; a text at all three bounds takes a fraction of a second. */
const JSON_BOUNDS: JsonBounds = { depth: 64, keys: 100_000, names: 10_000, nodes: 250_000 };

export interface JsonOptions {
  /** Default `JSON_BOUNDS`. */
  bounds?: JsonBounds;
  /**
   * From a sender that cannot be asked to change: whole numbers whose digits a number of JavaScript cannot hold, such as ids of 64 bits,
   * become text, and texts that cannot be stored are left to the reader. Default: both are refused by their field.
   */
  lenient?: boolean;
}

/** A text that is no JSON, or more of it than its bounds. */
export class JsonError extends Error {
  readonly code = 'invalid_json';

  constructor(
    message: string,
    /** Where, in the value; empty: the whole. */
    readonly path: readonly (string | number)[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'JsonError';
  }
}

/** @throws JsonError */
export function parseBoundedJson(
  text: string,
  { bounds = JSON_BOUNDS, lenient = false }: JsonOptions = {},
): unknown {
  const { rounded, hasEscapes, keys } = scan(text, bounds);
  if (keys > bounds.names) countNames(text, bounds);
  const [first] = rounded;
  if (first !== undefined && !lenient)
    throw new JsonError(
      `must be a number that keeps its digits, up to ${Number.MAX_SAFE_INTEGER}; send a longer id as text`,
      pathAt(text, first.from),
    );
  if (!lenient && PROTOTYPE.test(text)) throw new JsonError('must not have a field named __proto__');
  const value = parse(first === undefined ? text : quoted(text, rounded));
  // JSON writes both NUL and half a pair as escapes only.
  const unstorable = !lenient && hasEscapes ? findUnstorable(value) : undefined;
  if (unstorable !== undefined) throw new JsonError(unstorable.problem, unstorable.path);
  return value;
}

const UNBOUNDED: JsonBounds = { depth: Infinity, keys: Infinity, names: Infinity, nodes: Infinity };
/** Texts without it, nearly all, need no second look. */
const MAYBE_ROUNDED = /\d{16}|\d[eE]/;

/**
 * What a program of another language has stored, to be shown: numbers that JavaScript would round are text with the same digits.
 * @throws JsonError for what is no JSON
 */
export function parseExactJson(text: string): unknown {
  if (!MAYBE_ROUNDED.test(text)) return parse(text);
  return parseBoundedJson(text, { bounds: UNBOUNDED, lenient: true });
}

/** Where JSON has a number that JavaScript would round; `undefined`: nowhere. */
export function findRounded(text: string): (string | number)[] | undefined {
  if (!MAYBE_ROUNDED.test(text)) return undefined;
  const [first] = scan(text, UNBOUNDED).rounded;
  return first && pathAt(text, first.from);
}

/** A field that would change what a copy of its object is, with any of its letters escaped. */
const PROTOTYPE =
  /"(?:_|\\u005f)(?:_|\\u005f)(?:p|\\u0070)(?:r|\\u0072)(?:o|\\u006f)(?:t|\\u0074)(?:o|\\u006f)(?:_|\\u005f)(?:_|\\u005f)"\s*:/i;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new JsonError('must be valid JSON', [], { cause });
  }
}

interface Span {
  from: number;
  to: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const WHITE_SPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
/** Every whole number of fewer digits is exact. */
const EXACT_DIGITS = 15;

function scan(text: string, bounds: JsonBounds): { rounded: Span[]; hasEscapes: boolean; keys: number } {
  const rounded: Span[] = [];
  let depth = 0;
  let keys = 0;
  let nodes = 1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfText(text, at);
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      const to = endOfNumber(text, at);
      const digits = text.slice(at, to);
      if ((digits.length > EXACT_DIGITS || EXPONENT.test(digits)) && isRounded(digits))
        rounded.push({ from: at, to });
      at = to - 1;
    } else if (code === OPEN_OBJECT || code === OPEN_LIST) {
      nodes++;
      if (++depth > bounds.depth)
        throw new JsonError(`must not be nested deeper than ${bounds.depth} levels`);
    } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) depth--;
    else if (code === COMMA) nodes++;
    else if (code === COLON && ++keys > bounds.keys)
      throw new JsonError(`must not have more than ${bounds.keys} fields`);
    if (nodes > bounds.nodes) throw new JsonError(`must not have more than ${bounds.nodes} values`);
  }
  return { rounded, hasEscapes: text.includes('\\u'), keys };
}

/** @throws JsonError when there are too many different names of fields. One that is written in two ways counts twice. */
function countNames(text: string, bounds: JsonBounds): void {
  const names = new Set<string>();
  for (let at = text.indexOf('"'); at !== -1;) {
    const end = endOfText(text, at);
    let after = end + 1;
    while (WHITE_SPACE.has(text.charCodeAt(after))) after++;
    if (text.charCodeAt(after) === COLON) names.add(text.slice(at, end));
    if (names.size > bounds.names)
      throw new JsonError(`must not have more than ${bounds.names} different names of fields`);
    at = text.indexOf('"', after);
  }
}

/** The index of the closing quote. */
function endOfText(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    const end = text.indexOf('"', at);
    if (end === -1) return text.length;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
    at = end;
  }
}

const IN_NUMBER = /[-+.eE\d]/;
const EXPONENT = /[eE]/;

/** The index behind it. */
function endOfNumber(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && IN_NUMBER.test(text.charAt(at))) at++;
  return at;
}

/** Whether a whole number would be written with other digits than it has, or any number becomes infinite. */
function isRounded(digits: string): boolean {
  const value = Number(digits);
  if (/^-?\d+$/.test(digits)) return String(value) !== digits;
  return !Number.isNaN(value) && !Number.isFinite(value);
}

function quoted(text: string, spans: readonly Span[]): string {
  let done = 0;
  const parts = spans.map(({ from, to }) => {
    const part = `${text.slice(done, from)}"${text.slice(from, to)}"`;
    done = to;
    return part;
  });
  return parts.join('') + text.slice(done);
}

/** Names of fields and indexes on the way to a position. The text before it is valid. */
function pathAt(text: string, position: number): (string | number)[] {
  const path: (string | number)[] = [];
  let last = '';
  for (let at = 0; at < position; at++) {
    const code = text.charCodeAt(at);
    const top = path.at(-1);
    if (code === QUOTE) {
      const end = endOfText(text, at);
      last = text.slice(at, end + 1);
      at = end;
    } else if (code === OPEN_OBJECT) path.push('');
    else if (code === OPEN_LIST) path.push(0);
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) path.pop();
    else if (code === COLON) path.splice(-1, 1, String(JSON.parse(last)));
    else if (code === COMMA && typeof top === 'number') path.splice(-1, 1, top + 1);
  }
  return path;
}
