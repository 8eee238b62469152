/** The kinds of numbers as schemas of JSON. Apart from their declarations, so that those need no schema library. */
import { z } from 'zod';
import type { BoundedNumber } from './bounds.js';

/** The refusal of any other value says the bounds. */
export function boundedSchema({ min, max, isWhole, description }: BoundedNumber): z.ZodNumber {
  const error = `must be ${description}`;
  return (isWhole ? z.int({ error }) : z.number({ error })).min(min, { error }).max(max, { error });
}
