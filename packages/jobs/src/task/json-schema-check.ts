/** Finds the parts of a schema whose values do not survive JSON, in which payloads and results travel. */
import type { z } from 'zod';
import { JobsError } from '../errors.js';
import type { $ZodType, $ZodTypes } from 'zod/v4/core';

/** A part of a schema that JSON cannot carry, for example `window.from: z.date() …`. */
export interface JsonProblem {
  /** `profiles[].seen_at`; empty for the schema itself. */
  path: string;
  /** The schema at fault and its replacement. */
  message: string;
}

/** Producers send values of a schema's input side; results are stored as values of its output side. */
export type SchemaSide = 'input' | 'output';

interface Place {
  side: SchemaSide;
  path: string;
  /** `undefined` is lost without harm: the field is omitted. */
  mayBeLeftOut: boolean;
}

const UNSUITABLE: Readonly<Partial<Record<$ZodTypes['_zod']['def']['type'], string>>> = {
  date: 'z.date() cannot travel as JSON; use z.iso.datetime(), or z.iso.date() for a day',
  map: 'z.map() cannot travel as JSON; use z.record(), or z.array() of pairs',
  set: 'z.set() cannot travel as JSON; use z.array()',
  bigint: 'z.bigint() cannot travel as JSON; use z.int(), or z.string() for numbers above 2^53',
  symbol: 'z.symbol() cannot travel as JSON; use z.enum() or z.literal()',
  undefined: 'z.undefined() cannot travel as JSON; use z.null(), or .optional() for a field',
  void: 'z.void() cannot travel as JSON; use z.null()',
  nan: 'z.nan() cannot travel as JSON; use z.null()',
  function: 'z.function() cannot travel as JSON; pass the data that the function needs',
  promise: 'z.promise() cannot travel as JSON; await the value and use its schema',
  file: 'z.file() cannot travel as JSON; store the file elsewhere and pass its address as z.url()',
};

const OPTIONAL_ELEMENT =
  '.optional() works for the fields of an object only, because JSON has no undefined; use .nullable()';

/** Every part of the schema that JSON cannot carry; empty for a valid schema. It cannot see inside transforms and custom checks. */
export function jsonProblems(schema: z.ZodType, side: SchemaSide): JsonProblem[] {
  const problems: JsonProblem[] = [];
  const seen = new Map<$ZodType, Set<boolean>>();

  const visit = (type: $ZodType, place: Place): void => {
    // A recursive schema reaches itself again, and the allowed types depend on the position as well.
    const known = seen.get(type) ?? new Set<boolean>();
    if (known.has(place.mayBeLeftOut)) return;
    seen.set(type, known.add(place.mayBeLeftOut));
    inspect(type, place, visit, (message) => problems.push({ path: place.path, message }));
  };

  visit(schema, { side, path: '', mayBeLeftOut: false });
  return problems;
}

/**
 * Values travel and are stored as JSON, so a schema whose values do not survive that is refused.
 * @param owner whose schema it is, and how messages call the value; by default by its side
 * @throws JobsError `invalid_options` with every place
 */
export function requireJson<Schema extends z.ZodType>(
  schema: Schema,
  side: SchemaSide,
  { kind, name, value = side }: { kind: 'task' | 'event'; name: string; value?: string },
): Schema {
  const problems = jsonProblems(schema, side);
  if (problems.length === 0) return schema;
  const places = problems.map(
    ({ path, message }) => `${path === '' ? value : `${value}.${path}`}: ${message}`,
  );
  const owner = kind === 'task' ? 'Task' : 'Event';
  throw new JobsError('invalid_options', `${owner} "${name}": ${places.join('; ')}.`, {
    details: { [kind]: name, problems },
  });
}

type Visit = (type: $ZodType, place: Place) => void;

function inspect(type: $ZodType, place: Place, visit: Visit, report: (message: string) => void): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion, no-underscore-dangle -- every schema is one of zod's own types, and `_zod` is where zod documents its definition for libraries
  const { def } = (type as $ZodTypes)._zod;
  const within = (inner: $ZodType, step: string, mayBeLeftOut = false): void =>
    visit(inner, { side: place.side, path: join(place.path, step), mayBeLeftOut });
  switch (def.type) {
    case 'object':
      for (const [field, inner] of Object.entries(def.shape)) within(inner, field, true);
      if (def.catchall !== undefined) within(def.catchall, '*', true);
      return;
    case 'record':
      visit(def.keyType, { ...place, path: join(place.path, '(key)'), mayBeLeftOut: false });
      return within(def.valueType, '*', true);
    case 'array':
      return within(def.element, '[]');
    case 'tuple':
      for (const [index, item] of def.items.entries()) within(item, `[${index}]`);
      if (def.rest !== null) within(def.rest, '[]');
      return;
    case 'union':
      for (const option of def.options) visit(option, place);
      return;
    case 'intersection':
      visit(def.left, place);
      return visit(def.right, place);
    case 'optional':
      if (!place.mayBeLeftOut) report(OPTIONAL_ELEMENT);
      return visit(def.innerType, place);
    case 'nonoptional':
      return visit(def.innerType, { ...place, mayBeLeftOut: true });
    case 'default':
    case 'prefault':
      return visit(def.innerType, place);
    case 'nullable':
    case 'readonly':
    case 'catch':
      return visit(def.innerType, place);
    case 'success':
      return place.side === 'input' ? visit(def.innerType, place) : undefined;
    case 'pipe':
      return visit(place.side === 'input' ? def.in : def.out, place);
    case 'lazy':
      return visit(def.getter(), place);
    case 'literal':
      return def.values.forEach((value) => reportLiteral(value, place, report));
    case 'date':
    case 'bigint':
      // Coercion reads them from strings and numbers, which JSON has; the output is still a date or a bigint.
      if (place.side === 'input' && def.coerce === true) return;
      break;
    default:
      break;
  }
  const message = UNSUITABLE[def.type];
  if (message !== undefined) report(message);
}

function reportLiteral(value: unknown, { mayBeLeftOut }: Place, report: (message: string) => void): void {
  if (typeof value === 'bigint')
    report(`the literal ${value}n cannot travel as JSON; use a number or a string`);
  if (value === undefined && !mayBeLeftOut) report(OPTIONAL_ELEMENT);
}

function join(path: string, step: string): string {
  return path === '' || step.startsWith('[') ? `${path}${step}` : `${path}.${step}`;
}
