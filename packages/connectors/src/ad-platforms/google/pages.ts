/** The forms that Google's answers to queries share. */
import { z } from 'zod';
import { bigInteger, wholeNumber } from '../fields.js';

export interface Page<Item> {
  results: Item[];
  nextPageToken?: string | undefined;
}

/** Runs a query page by page. */
export type Search = <Item>(query: string, schema: z.ZodType<Page<Item>>) => AsyncIterable<Item[]>;

export function pageSchema<Item>(item: z.ZodType<Item>): z.ZodType<Page<Item>> {
  return z.object({ results: z.array(item).default([]), nextPageToken: z.string().optional() });
}

/** Google leaves out what is zero. */
export const dailyFigures = z
  .object({
    impressions: wholeNumber.default(0),
    clicks: wholeNumber.default(0),
    costMicros: bigInteger.default(0n),
    conversions: z.number().nonnegative().default(0),
    conversionsValue: z.number().default(0),
  })
  .prefault({});
