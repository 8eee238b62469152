/** Payloads for people who look at a queue: without secrets, and cut to a size that a terminal shows. */
import { z } from 'zod';
import { cut, fieldOf } from '../values/any-value.js';

/** Fields whose name contains one of these are masked, whatever the contract says; case, `_` and `-` do not count. */
const SENSITIVE_NAMES = [
  'password',
  'passwd',
  'passphrase',
  'secret',
  'token',
  'apikey',
  'accesskey',
  'privatekey',
  'authorization',
  'credential',
  'cookie',
  'cardnumber',
  'cvv',
  'iban',
] as const;

const MASK = '***';
const MAX_TEXT = 200;
const MAX_ITEMS = 20;
const MAX_FIELDS = 50;
const MAX_DEPTH = 6;

/** Names of fields that a schema calls sensitive: `z.string().meta({ sensitive: true })`. */
export function sensitiveFields(schema: z.ZodType): string[] {
  const names = new Set<string>();
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    for (const [key, inner] of Object.entries(part)) {
      if (fieldOf(inner, 'sensitive') === true) names.add(key);
      visit(inner);
    }
  };
  visit(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
  return [...names];
}

/** @param own names of fields that a contract calls sensitive */
export function isSensitive(name: string, own: readonly string[] = []): boolean {
  const plain = plainName(name);
  return (
    SENSITIVE_NAMES.some((part) => plain.includes(part)) || own.some((each) => plainName(each) === plain)
  );
}

/**
 * A copy of a JSON value with each sensitive field as `***`. Long texts, long lists and deep branches end in `…`.
 * @param own names of fields, at any depth, that the contract calls sensitive
 */
export function maskPayload(value: unknown, own: readonly string[] = [], depth = 0): unknown {
  if (typeof value === 'string') return cut(value, MAX_TEXT);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) {
    const items = value.slice(0, MAX_ITEMS).map((item: unknown) => maskPayload(item, own, depth + 1));
    return value.length > MAX_ITEMS ? [...items, '…'] : items;
  }
  const fields: [string, unknown][] = Object.entries(value);
  const shown = fields
    .slice(0, MAX_FIELDS)
    .map(([name, field]): [string, unknown] => [
      name,
      isSensitive(name, own) ? MASK : maskPayload(field, own, depth + 1),
    ]);
  if (fields.length > MAX_FIELDS) shown.push(['…', `${fields.length - MAX_FIELDS} more fields`]);
  return Object.fromEntries(shown);
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '');
}
