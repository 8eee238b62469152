/** The forms in which platforms write numbers, as zod schemas. */
import { z } from 'zod';
import { parseDecimal } from '../values/money.js';

/** An amount or a count as a decimal string; also takes a JSON number that is a whole one. */
export const decimalText = z.union([z.string(), z.int().transform(String)]).transform((text, context) => {
  const decimal = parseDecimal(text);
  if (decimal !== undefined) return decimal;
  context.addIssue({ code: 'custom', message: 'is not a decimal number' });
  return z.NEVER;
});

/** A whole number, written as a string (64-bit integers in JSON) or as a number. */
export const wholeNumber = z.union([z.string().regex(/^\d+$/), z.int().nonnegative()]).transform(Number);

/** The same where the number may be larger than JavaScript counts exactly. */
export const bigInteger = z.union([z.string().regex(/^-?\d+$/), z.int()]).transform(BigInt);
