/** Checks an answer against the connector's schema. */
import type { z } from 'zod';
import { PlatformError } from './errors.js';

/**
 * An answer of another form is permanent: the platform has changed, and asking again gets the same.
 * The error names fields, never values.
 */
export function parseReply<Schema extends z.ZodType>(
  platform: string,
  schema: Schema,
  body: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || '(body)'}: ${issue.code}`);
  throw new PlatformError(platform, 'permanent', `an answer has an unknown form (${fields.join(', ')})`, {
    platformCode: 'unexpected_response',
  });
}
