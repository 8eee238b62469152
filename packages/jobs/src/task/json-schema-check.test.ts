import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { defineTask, type ResultOf } from './define-task.js';
import { jsonProblems } from './json-schema-check.js';

const refused: readonly [string, z.ZodType, path: string, advice: RegExp][] = [
  ['a date', z.object({ at: z.date() }), 'at', /z\.iso\.datetime\(\)/],
  ['a map', z.object({ counts: z.map(z.string(), z.int()) }), 'counts', /z\.record\(\)/],
  ['a set', z.object({ tags: z.set(z.string()) }), 'tags', /z\.array\(\)/],
  ['a bigint', z.object({ id: z.bigint() }), 'id', /z\.int\(\)/],
  ['a bigint literal', z.object({ id: z.literal(1n) }), 'id', /1n/],
  ['a symbol', z.object({ kind: z.symbol() }), 'kind', /z\.enum\(\)/],
  ['undefined', z.object({ a: z.undefined() }), 'a', /\.optional\(\)/],
  ['nothing', z.void(), '', /z\.null\(\)/],
  ['NaN', z.object({ rate: z.nan() }), 'rate', /z\.null\(\)/],
  ['a function', z.object({ f: z.function() }), 'f', /data/],
  ['a promise', z.object({ p: z.promise(z.string()) }), 'p', /await/],
  ['a file', z.object({ upload: z.file() }), 'upload', /z\.url\(\)/],
  ['an element of an array', z.object({ days: z.array(z.date()) }), 'days[]', /datetime/],
  ['an element of a tuple', z.object({ span: z.tuple([z.string(), z.date()]) }), 'span[1]', /datetime/],
  ['a value of a record', z.object({ by: z.record(z.string(), z.date()) }), 'by.*', /datetime/],
  ['any other field', z.object({}).catchall(z.date()), '*', /datetime/],
  ['a member of a union', z.object({ at: z.union([z.string(), z.date()]) }), 'at', /datetime/],
  ['both sides of an intersection', z.intersection(z.object({ a: z.date() }), z.object({})), 'a', /datetime/],
  [
    'behind optional, nullable and default',
    z.object({ at: z.date().nullable().optional() }),
    'at',
    /datetime/,
  ],
  [
    'deep inside',
    z.object({ a: z.object({ b: z.array(z.object({ c: z.date() })) }) }),
    'a.b[].c',
    /datetime/,
  ],
  ['in a recursive schema', recursive(z.date()), 'value', /datetime/],
  [
    'an element that may be missing',
    z.object({ a: z.array(z.string().optional()) }),
    'a[]',
    /\.nullable\(\)/,
  ],
  ['a whole that may be missing', z.object({}).optional(), '', /\.nullable\(\)/],
];

const accepted: readonly [string, z.ZodType][] = [
  ['dates and numbers as text', z.object({ at: z.iso.datetime(), day: z.iso.date(), id: z.string() })],
  ['a field that may be missing', z.object({ a: z.string().optional(), b: z.literal([1, undefined]) })],
  ['a recursive schema', recursive(z.string())],
  ['unknown, any and own checks', z.object({ a: z.unknown(), b: z.any(), c: z.custom<string>() })],
  ['null', z.null()],
  ['texts by pattern', z.templateLiteral(['px', z.number()])],
];

function recursive(value: z.ZodType): z.ZodType {
  const node: z.ZodType = z.object({ value, children: z.array(z.lazy(() => node)) });
  return node;
}

describe.each(['input', 'output'] as const)('on the %s side', (side) => {
  test.each(refused)('%s is refused, with its path and a replacement', (_, schema, path, advice) => {
    expect(jsonProblems(schema, side)).toContainEqual({ path, message: expect.stringMatching(advice) });
  });

  test.each(accepted)('%s: accepted', (_, schema) => {
    expect(jsonProblems(schema, side)).toEqual([]);
  });
});

test('a transform and a codec count on the side that travels', () => {
  const toDate = z.iso.datetime().transform((text) => new Date(text));
  const codec = z.codec(z.iso.datetime(), z.date(), {
    decode: (text) => new Date(text),
    encode: (date) => date.toISOString(),
  });
  for (const schema of [toDate, codec, z.coerce.date(), z.coerce.bigint()])
    expect(jsonProblems(z.object({ at: schema }), 'input')).toEqual([]);
  for (const schema of [codec, z.coerce.date(), z.coerce.bigint()])
    expect(jsonProblems(z.object({ at: schema }), 'output')).toHaveLength(1);
});

test('defineTask refuses both schemas in one sentence that names the field', () => {
  const input = z.object({ window: z.object({ from: z.date() }) });
  const base = { name: 'report', queue: 'work', input: z.object({}), output: z.null() };
  expect(() => defineTask({ ...base, input })).toThrow(
    'Task "report": input.window.from: z.date() cannot travel as JSON; use z.iso.datetime(), or z.iso.date() for a day.',
  );
  expect(() => defineTask({ ...base, output: z.set(z.string()) })).toThrow(
    'Task "report": output: z.set() cannot travel as JSON; use z.array().',
  );
  const codes = [z.date(), z.bigint()].map((at) => {
    try {
      return defineTask({ ...base, input: z.object({ at }) });
    } catch (error) {
      return error;
    }
  });
  expect(codes).toEqual(codes.map(() => expect.objectContaining({ code: 'invalid_options' })));
});

test('a contract knows the type of its result', () => {
  const task = defineTask({ name: 't', queue: 'q', input: z.object({}), output: z.object({ n: z.int() }) });
  expectTypeOf<ResultOf<typeof task>>().toEqualTypeOf<{ n: number }>();
});

/** A schema together with values that it accepts. */
interface Sample {
  schema: z.ZodType;
  value: unknown;
}

const leaf: fc.Arbitrary<Sample> = fc.oneof(
  fc.string().map((value) => ({ schema: z.string(), value })),
  fc.maxSafeInteger().map((value) => ({ schema: z.int(), value })),
  fc.boolean().map((value) => ({ schema: z.boolean(), value })),
  fc.constant({ schema: z.null(), value: null }),
  fc.date({ noInvalidDate: true }).map((value) => ({ schema: z.date(), value })),
  fc.bigInt().map((value) => ({ schema: z.bigint(), value })),
  fc.constant({ schema: z.string().optional(), value: undefined }),
  fc.constant({ schema: z.nan(), value: NaN }),
  fc.constant({ schema: z.set(z.string()), value: new Set(['a']) }),
  fc.constant({ schema: z.map(z.string(), z.string()), value: new Map([['a', 'b']]) }),
);

const { sample } = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc
      .dictionary(
        fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
        tie('sample'),
      )
      .map((fields) => ({
        schema: z.object(mapValues(fields, ({ schema }) => schema)),
        value: mapValues(fields, ({ value }) => value),
      })),
    tie('sample').map(({ schema, value }) => ({ schema: z.array(schema), value: [value] })),
    tie('sample').map(({ schema, value }) => ({ schema: schema.nullable(), value })),
    tie('sample').map(({ schema, value }) => ({ schema: z.union([schema, z.string()]), value })),
    tie('sample').map(({ schema, value }) => ({ schema: z.tuple([schema]), value: [value] })),
  ),
}));

test('values of a schema without problems come back from JSON as they were; others have a problem', () => {
  fc.assert(
    fc.property(sample, ({ schema, value }) => {
      expect(schema.safeParse(value).success).toBe(true);
      if (jsonProblems(schema, 'input').length === 0)
        expect(throughJson(value)).toEqual(withoutUndefined(value));
      else expect(JSON.stringify(jsonProblems(schema, 'input'))).toMatch(/use |pass /);
    }),
  );
});

test('a part that JSON cannot carry is found wherever it is', () => {
  const bad = fc.constantFrom(
    z.date(),
    z.bigint(),
    z.set(z.string()),
    z.map(z.string(), z.int()),
    z.symbol(),
  );
  fc.assert(
    fc.property(bad, fc.array(fc.nat(5), { maxLength: 6 }), (schema, wrappers) => {
      const wrapped = wrappers.reduce<z.ZodType>((inner, wrapper) => wrap(inner, wrapper), schema);
      expect(jsonProblems(wrapped, 'input').length).toBeGreaterThan(0);
      expect(jsonProblems(wrapped, 'output').length).toBeGreaterThan(0);
    }),
  );
});

function wrap(inner: z.ZodType, wrapper: number): z.ZodType {
  switch (wrapper) {
    case 0:
      return z.object({ field: inner });
    case 1:
      return z.array(inner);
    case 2:
      return inner.nullable();
    case 3:
      return z.union([z.string(), inner]);
    case 4:
      return z.record(z.string(), inner);
    default:
      return z.lazy(() => inner).readonly();
  }
}

function throughJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Fields that hold undefined are the same as fields that are missing; -0 is 0. */
function withoutUndefined(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [key, withoutUndefined(inner)]),
  );
}

function mapValues<In, Out>(fields: Record<string, In>, map: (value: In) => Out): Record<string, Out> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, map(value)]));
}
