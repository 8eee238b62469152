/** Forms that TikTok's answers share. */
import { z } from 'zod';
import { parseDecimal } from '../../values/money.js';

export const pageInfo = z.object({ page: z.int(), total_page: z.int() });

/** Metrics that an account's choice asks for: `metric` reads those that are numbers. */
export const reportText = z.union([z.string(), z.number().transform(String)]);

/** Metrics are strings; a dash means that there is none. */
export const metric = z.string().transform((text, context) => {
  const decimal = text === '-' ? '0' : parseDecimal(text);
  if (decimal !== undefined) return decimal;
  context.addIssue({ code: 'custom', message: 'is not a decimal number' });
  return z.NEVER;
});
