import type { z } from 'zod';
import { fieldOf, textOf } from '../values/any-value.js';

export type CheckedPayload<Schema extends z.ZodType> =
  { data: z.output<Schema>; problems?: never } | { problems: readonly string[] };

/**
 * A payload as its schema returns it, or what is wrong with each field. A refinement or transform is code of the schema's author, and may fail; it
 * cannot be asynchronous, because producers do not wait for it.
 * @param code what of the schema may fail, in words
 */
export function checkPayload<Schema extends z.ZodType>(
  schema: Schema,
  payload: unknown,
  code: string,
): CheckedPayload<Schema> {
  let parsed: z.ZodSafeParseResult<z.output<Schema>>;
  try {
    parsed = schema.safeParse(payload);
  } catch (error) {
    const message = textOf(fieldOf(error, 'message') ?? error, 500);
    return { problems: [`(payload): ${code} failed: ${message}`] };
  }
  if (parsed.success) return { data: parsed.data };
  return {
    problems: parsed.error.issues.map(
      (issue) => `${issue.path.map(String).join('.') || '(payload)'}: ${issue.message}`,
    ),
  };
}
