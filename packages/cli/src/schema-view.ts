/** A JSON Schema as rows of fields, for people. */
import { z } from 'zod';

export interface Field {
  name: string;
  type: string;
  required: boolean;
  /** Constraints, and the default. */
  notes: string;
  /** The values that there are, where they are few. */
  values: readonly string[];
}

/** The parts of JSON Schema that the contracts make use of; the rest is left aside. */
const nodeSchema = z.object({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  default: z.unknown().optional(),
  format: z.string().optional(),
  minimum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
  required: z.array(z.string()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  additionalProperties: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
});
type Node = z.infer<typeof nodeSchema>;

/** The fields of an object, those of inner objects with their path. */
export function fieldsOf(schema: unknown): Field[] {
  return [...walk(read(schema), '')];
}

function* walk(node: Node, prefix: string): Generator<Field> {
  for (const [name, value] of Object.entries(node.properties ?? {})) {
    const field = read(value);
    const path = `${prefix}${name}`;
    yield {
      name: path,
      type: typeOf(field),
      required: node.required?.includes(name) === true,
      notes: notesOf(field),
      values: (field.enum ?? []).map(String),
    };
    const inner = field.type === 'array' ? read(field.items) : field;
    yield* walk(inner, field.type === 'array' ? `${path}[].` : `${path}.`);
    for (const each of [...(field.anyOf ?? []), ...(field.oneOf ?? [])]) yield* walk(read(each), `${path}.`);
  }
}

function read(schema: unknown): Node {
  return nodeSchema.safeParse(schema).data ?? {};
}

function typeOf(node: Node): string {
  const choices = node.anyOf ?? node.oneOf;
  if (choices !== undefined) return [...new Set(choices.map((each) => typeOf(read(each))))].join(' or ');
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value)).join(', ');
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.type === 'array') return `list of ${typeOf(read(node.items))}`;
  const type = [node.type ?? 'anything'].flat().join(' or ');
  if (type === 'object' && node.properties === undefined && isSchema(node.additionalProperties))
    return `object of ${typeOf(read(node.additionalProperties))}`;
  return node.format === undefined ? type : `${type} (${node.format})`;
}

function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function notesOf(node: Node): string {
  const { description, minimum, exclusiveMinimum, maximum, minLength, maxLength, minItems, maxItems } = node;
  const notes = [
    description,
    exclusiveMinimum === undefined ? undefined : `above ${exclusiveMinimum}`,
    isBound(minimum) ? `from ${minimum}` : undefined,
    isBound(maximum) ? `to ${maximum}` : undefined,
    minLength === undefined ? undefined : `at least ${minLength} characters`,
    maxLength === undefined ? undefined : `at most ${maxLength} characters`,
    minItems === undefined ? undefined : `at least ${minItems}`,
    maxItems === undefined ? undefined : `at most ${maxItems}`,
    node.default === undefined ? undefined : `default ${JSON.stringify(node.default)}`,
  ];
  return notes.filter((note) => note !== undefined).join('; ');
}

/** The bounds of every whole number are left out. */
function isBound(value: number | undefined): boolean {
  return value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
}
