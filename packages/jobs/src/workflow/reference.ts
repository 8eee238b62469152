/** References such as `$previous.rows[2].id` to a part of the previous result. */
import { JobsError } from '../errors.js';
import { withArticle } from '../values/text.js';

export type PathToken = string | number;

/** Splits the path after `$previous`. The text was checked when the workflow started. */
export function readReference(text: string): PathToken[] {
  const tokens = text.matchAll(/\.([^.[\]]+)|\[(\d+)\]/g);
  return [...tokens].map(([, field, index]) => field ?? Number(index));
}

/**
 * The part of a value at the path.
 * @throws JobsError `invalid_payload` that names the missing token
 */
export function partOf(value: unknown, tokens: readonly PathToken[]): unknown {
  let part = value;
  let way = '$previous';
  for (const token of tokens) {
    const next = typeof token === 'number' ? `${way}[${token}]` : `${way}.${token}`;
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, token)) throw missing(next, part);
    part = Reflect.get(part, token);
    way = next;
  }
  if (part === undefined) throw missing(way, part);
  return part;
}

export function missing(way: string, found: unknown): JobsError {
  return new JobsError('invalid_payload', `${way} does not exist: the previous result is ${describe(found)}`);
}

/** Names and sizes only, because a result may contain secrets. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : withArticle(typeof value);
  const fields = Object.keys(value);
  return fields.length === 0
    ? 'an empty object'
    : `an object with ${fields.slice(0, 10).join(', ')}${fields.length > 10 ? ', …' : ''}`;
}
