/**
 * Payloads that a person edits. Each sensitive value is hidden behind a mark of its own, `***1`, `***2`, …, in the order of the payload; marks
 * that the person leaves become the values again. Numbers, rather than places, say which: items of a list may be moved and removed.
 */
import { InvalidPayloadError } from '../errors.js';
import { isSensitive } from './sensitive.js';

const MARK = '***';

/**
 * A copy of a JSON value with a mark for the value of each sensitive field.
 * @param own names of fields, at any depth, that the contract calls sensitive
 */
export function hideSensitive(value: unknown, own: readonly string[] = []): unknown {
  let hidden = 0;
  return mapSensitive(value, own, () => `${MARK}${++hidden}`);
}

/**
 * What the person has meant: marks in sensitive fields are the values of the original. Elsewhere they are text, so that none comes to light.
 * @param task for the message
 * @throws InvalidPayloadError for a mark that the original does not have
 */
export function restoreSensitive(
  edited: unknown,
  original: unknown,
  { name: task, sensitive = [] }: { name: string; sensitive?: readonly string[] | undefined },
): unknown {
  const values = new Map<string, unknown>();
  mapSensitive(original, sensitive, (value) => {
    const mark = `${MARK}${values.size + 1}`;
    values.set(mark, value);
    return mark;
  });
  return mapSensitive(edited, sensitive, (value, field) => {
    if (typeof value !== 'string' || !/^\*{3}\d*$/.test(value)) return value;
    if (values.has(value)) return values.get(value);
    throw new InvalidPayloadError(task, [`${field}: ${value} stands for no hidden value; give a new one`]);
  });
}

function mapSensitive(
  value: unknown,
  own: readonly string[],
  map: (value: unknown, path: string) => unknown,
  path = '',
): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const inner = (name: string | number): string => (path === '' ? `${name}` : `${path}.${name}`);
  if (Array.isArray(value))
    return value.map((item: unknown, index) => mapSensitive(item, own, map, inner(index)));
  return Object.fromEntries(
    Object.entries(value).map(([name, field]: [string, unknown]) => [
      name,
      isSensitive(name, own) ? map(field, inner(name)) : mapSensitive(field, own, map, inner(name)),
    ]),
  );
}
