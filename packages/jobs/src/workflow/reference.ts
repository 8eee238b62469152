/** `$previous.rows[2].id`: which part of the result of the step before. */
import { JobsError } from '../errors.js';

export type PathToken = string | number;

/** The tokens behind `$previous`; the text has been checked when the workflow was started. */
export function readReference(text: string): PathToken[] {
  const tokens = text.matchAll(/\.([^.[\]]+)|\[(\d+)\]/g);
  return [...tokens].map(([, field, index]) => field ?? Number(index));
}

/**
 * The part of a value that the tokens lead to.
 * @throws JobsError `invalid_payload` that says where the way ends
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
  return new JobsError('invalid_payload', `${way} is not there: the result before it is ${describe(found)}`);
}

/** Names and sizes only: a result may hold what no log should. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : `a ${typeof value}`;
  const fields = Object.keys(value);
  return fields.length === 0
    ? 'an empty object'
    : `an object with ${fields.slice(0, 10).join(', ')}${fields.length > 10 ? ', …' : ''}`;
}
