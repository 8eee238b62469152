/** Numbers and times of requests. Their bounds are those of every other entrance; a refusal says them. */
import { BoundedNumber, sequence } from '@stratum/jobs/bounds';
import { boundedSchema, instantSchema } from '@stratum/jobs/internal';
import { z } from 'zod';

const MAX_WAIT_SECONDS = 60;

/** A number in a path or query, where all values are text. */
export function numberText(bounds: BoundedNumber): z.ZodPipe<z.ZodCoercedNumber, z.ZodNumber> {
  const error = `must be ${bounds.description}`;
  return z.coerce.number({ error }).pipe(boundedSchema(bounds));
}

/** How long a request waits for the end of what it names, in seconds. */
export const waitSeconds = numberText(new BoundedNumber({ min: 0, max: MAX_WAIT_SECONDS, unit: 'seconds' }))
  .default(0)
  .describe('Seconds.');

/** A place in a stream or list, in a cursor. */
export const position = boundedSchema(sequence);
/** The id of a row, in a body. */
export const rowId = boundedSchema(sequence.within({ min: 1 }));
/** The id of a row, in a path. */
export const rowIdText = numberText(sequence.within({ min: 1 }));
/** RFC 3339 with a zone. */
export const time = instantSchema.transform((text) => new Date(text));
