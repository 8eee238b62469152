/** TikTok counts pages: a place is the part of a listing, the size of its pages, and the next page's number. */
import { z } from 'zod';
import type { ListingOptions, ReadOptions } from '../connector.js';

export interface Page {
  size: number;
  page: number;
}

interface Place extends Partial<Page> {
  /** Such as one of the windows of a report. */
  part: number;
}

const placeSchema = z.object({
  part: z.int().nonnegative(),
  size: z.int().positive().max(1_000),
  page: z.int().positive(),
});

/** The beginning, where there is no place or it cannot be read. */
export function placeFrom(text: string | undefined): Place {
  if (text === undefined) return { part: 0 };
  try {
    return placeSchema.safeParse(JSON.parse(text)).data ?? { part: 0 };
  } catch {
    return { part: 0 };
  }
}

export interface PagesOptions extends ReadOptions {
  start?: Partial<Page> | undefined;
  onPage?: ((next: Page) => void) | undefined;
}

/** How one part of a listing is read. */
export function within({ signal, onPlace }: ListingOptions, start: Place, part: number): PagesOptions {
  return {
    signal,
    start: part === start.part ? start : undefined,
    onPage: (next) => onPlace?.(JSON.stringify({ part, ...next })),
  };
}
