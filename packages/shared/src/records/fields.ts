/** Fields that several kinds of records have. */
import { boundedSchema, instantSchema } from '@stratum/jobs/internal';
import { sequence } from '@stratum/jobs/bounds';
import { z } from 'zod';
import { plainText } from '../plain-text.js';

const MAX_URL = 2_000;

export const recordId = boundedSchema(sequence.within({ min: 1 }));
/** RFC 3339 with a zone. */
export const instant = instantSchema;
export const shownTime = z.iso.datetime({ offset: true }).nullable();
/** Ids of other platforms that are numbers: they are kept as text. */
export const digits = z
  .union([z.string().regex(/^\d{1,30}$/, 'must be digits'), z.int().positive()])
  .transform(String);
export const webAddress = z
  .string()
  .max(MAX_URL)
  .regex(/^https?:\/\/[^\s/?#\0]+[^\s\0]*$/, 'must be an address such as https://example.com');
export const secretText = z.string().trim().min(1).max(MAX_URL).describe('Stored encrypted, never shown.');
export const shortText = plainText(200).min(1);

/** The given fields alone, under the names of their columns. */
export function given(
  input: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((name) => input[name] !== undefined).map((name) => [name, input[name]]),
  );
}
