/** Parts of OpenAPI documents that the platform's servers have in common. */
import { asRecord } from './as-record.js';

/** What every route may answer. */
export const PROBLEM_RESPONSE = {
  description: 'Error as RFC 9457 problem details.',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

/** Every schema is made twice, as it is sent and as it is received; most are used one way only. */
export function withoutUnusedSchemas<Document extends object>(document: Document): Document {
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
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
  return { ...document, components: { ...parts, schemas: kept } };
}
