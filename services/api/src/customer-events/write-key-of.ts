/** Where requests carry their write key. */
import type { FastifyRequest } from 'fastify';

const SCHEME = /^(Basic|Bearer) +(\S+)$/i;

/** Of the header: `Basic` with the key as the user's name, or `Bearer`. */
export function headerKey({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const [, scheme, text] = SCHEME.exec(headers.authorization ?? '') ?? [];
  if (text === undefined) return undefined;
  if (scheme?.toLowerCase() === 'bearer') return text;
  return Buffer.from(text, 'base64').toString('utf8').split(':', 1)[0];
}

/** Of a body. */
export function bodyKey(body: Record<string, unknown>): string | undefined {
  const { writeKey } = body;
  return typeof writeKey === 'string' ? writeKey : undefined;
}
