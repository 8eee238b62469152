/** Parts of OpenAPI documents that the platform's servers have in common. */
import { asRecord } from './as-record.js';

/** What every route may answer. */
export const PROBLEM_RESPONSE = {
  description: 'Error as RFC 9457 problem details.',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

/** Fit to read: without schemas that no route uses, and without what every reader knows. */
export function tidyDocument<Document extends object>(document: Document): Document {
  const plain: Document = JSON.parse(JSON.stringify(document), plainSchema);
  return withoutUnusedSchemas(plain);
}

/** Zod writes out how a `date-time` looks, and which whole numbers JavaScript has; Fastify names answers that have no description. */
function plainSchema(key: string, value: unknown): unknown {
  if (key === 'description' && value === 'Default Response') return 'Done, or what was asked for.';
  const { format, pattern, minimum, maximum } = asRecord(value);
  const known = [
    ...(format === 'date-time' && typeof pattern === 'string' ? ['pattern'] : []),
    ...(minimum === Number.MIN_SAFE_INTEGER ? ['minimum'] : []),
    ...(maximum === Number.MAX_SAFE_INTEGER ? ['maximum'] : []),
  ];
  if (known.length === 0) return value;
  return Object.fromEntries(Object.entries(asRecord(value)).filter(([name]) => !known.includes(name)));
}

/** Every schema is made twice, as it is sent and as it is received; most are used one way only. */
function withoutUnusedSchemas<Document extends object>(document: Document): Document {
  const { components, paths }: { components?: unknown; paths?: unknown } = document;
  const parts = asRecord(components);
  const schemas = asRecord(parts['schemas']);
  const used = new Set<string>();
  const follow = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      follow(schemas[name] ?? {});
    }
  };
  follow(paths ?? {});
  // By name, whatever has been loaded first.
  const names = Object.keys(schemas)
    .filter((name) => used.has(name))
    .toSorted();
  const kept = Object.fromEntries(names.map((name) => [name, schemas[name]]));
  return { ...document, components: { ...parts, schemas: kept } };
}
