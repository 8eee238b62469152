/** The kinds of numbers and times as schemas of JSON. Apart from their declarations, so that those need no schema library. */
import { z } from 'zod';
import { INSTANTS, parseInstant, type BoundedNumber } from './bounds.js';

/** The refusal of any other value says the bounds. */
export function boundedSchema({ min, max, isWhole, description }: BoundedNumber): z.ZodNumber {
  const error = `must be ${description}`;
  return (isWhole ? z.int({ error }) : z.number({ error })).min(min, { error }).max(max, { error });
}

const dateError = 'must be a date from 1970 to 2200, such as 2026-01-31';
const error = `must be ${INSTANTS}, as RFC 3339 with a zone, such as 2026-01-31T12:00:00Z`;

/** A day as `2026-01-31`, within the same bounds. */
export const dateSchema = z.iso
  .date({ error: dateError })
  .refine((text) => parseInstant(text) !== undefined, { error: dateError });

/** RFC 3339 text with a zone, of a time that every part of the system can write down. */
export const instantSchema = z.iso
  .datetime({ offset: true, error })
  .refine((text) => parseInstant(text) !== undefined, { error });
