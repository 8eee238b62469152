/** Fields that several kinds of records have. */
import { boundedSchema, instantSchema } from '@stratum/jobs/internal';
import { sequence } from '@stratum/jobs/bounds';
import { isCurrency } from '@stratum/connectors/values';
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
export const currencyCode = z
  .string()
  .refine((code) => isCurrency(code), 'must be an ISO 4217 currency code such as EUR');
/** A month, as its first day. */
export const monthStart = z
  .string()
  .regex(
    /^(19[7-9]\d|2[01]\d\d)-(0[1-9]|1[0-2])(-01)?$/,
    'must be a month such as 2026-11, from 1970 to 2199',
  )
  .transform((text) => (text.length === 7 ? `${text}-01` : text));

/** The given fields alone, under the names of their columns. */
export function given(
  input: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((name) => input[name] !== undefined).map((name) => [name, input[name]]),
  );
}
