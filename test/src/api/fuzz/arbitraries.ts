/** Requests made from an OpenAPI document: nearly right ones, and ones that are wrong in every way. */
import * as fc from 'fast-check';

export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
}

export type Schemas = Record<string, JsonSchema>;

/** Text that tends to break things. */
const NASTY = [
  '',
  ' ',
  '\0',
  '../../etc/passwd',
  '%00',
  '%',
  "'; DROP TABLE tenant; --",
  '__proto__',
  'constructor',
  '$previous',
  '*',
  '>',
  'a.b.c',
  'é'.repeat(300),
  'x'.repeat(10_000),
  '💥',
  '\ud800',
  '-1',
  '1e309',
  'NaN',
  '0',
  'true',
  'null',
  '{}',
  '[]',
];
const nasty = fc.constantFrom(...NASTY);
export const anyText = fc.oneof(
  nasty,
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }),
);
const anyNumber = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -1, 2 ** 53, 1e308, -1e308, 5e-324));

/** Any JSON, keys that name the prototype included. */
export const anyJson: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    anyText,
    anyNumber,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(anyText, tie('value'), { maxKeys: 4 }),
  ),
})).value;

const MAX_DEPTH = 5;
const TIMES = [
  '2026-01-01T00:00:00Z',
  '2099-12-31T23:59:59+14:00',
  '0001-01-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
];

/** What the schema describes, with something else in about every tenth place. */
export function fromSchema(schema: JsonSchema, schemas: Schemas, depth = 0): fc.Arbitrary<unknown> {
  if (depth > MAX_DEPTH) return anyJson;
  return fc.oneof(
    { arbitrary: fitting(schema, schemas, depth), weight: 9 },
    { arbitrary: anyJson, weight: 1 },
  );
}

function fitting(schema: JsonSchema, schemas: Schemas, depth: number): fc.Arbitrary<unknown> {
  const inner = (part: JsonSchema): fc.Arbitrary<unknown> => fromSchema(part, schemas, depth + 1);
  if (schema.$ref !== undefined) {
    const target = schemas[schema.$ref.split('/').at(-1) ?? ''];
    return target === undefined ? anyJson : fitting(target, schemas, depth + 1);
  }
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices !== undefined && choices.length > 0) return fc.oneof(...choices.map(inner));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case 'object': {
      const { properties = {}, required = [] } = schema;
      const fields = Object.fromEntries(Object.entries(properties).map(([key, part]) => [key, inner(part)]));
      return Object.keys(fields).length === 0
        ? fc.dictionary(anyText, anyJson, { maxKeys: 3 })
        : fc.record(fields, { requiredKeys: required.filter((key) => key in fields) });
    }
    case 'array':
      return fc.array(schema.items === undefined ? anyJson : inner(schema.items), { maxLength: 3 });
    case 'integer':
      return fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer());
    case 'number':
      return anyNumber;
    case 'boolean':
      return fc.boolean();
    case 'string':
      return schema.format === 'date-time' ? fc.constantFrom(...TIMES) : anyText;
    default:
      return anyJson;
  }
}
