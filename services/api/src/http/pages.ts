/** Lists come in pages; a cursor says where the next one begins. */
import { pageSize } from '@stratum/jobs/bounds';
import { ProblemError } from '@stratum/shared/http';
import { z } from 'zod';
import { numberText } from './bounded.js';

const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

/** The query of every list. */
export const pageQuery = z.object({
  limit: numberText(pageSize.within({ max: MAX_PAGE }))
    .default(DEFAULT_PAGE)
    .describe(`Page size, at most ${MAX_PAGE}.`),
  cursor: z.string().max(500).optional().describe('`next_cursor` of the previous page.'),
});

export function pageOf<Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ items: z.ZodArray<Item>; next_cursor: z.ZodNullable<z.ZodString> }> {
  return z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('`null` on the last page.'),
  });
}

/** Opaque to callers: it may change its inside at any time. */
export function encodeCursor(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/**
 * A page made from a query for one item more than it holds: the extra item shows that there is a next page.
 * @param positionOf where the page after an item begins, for `decodeCursor`
 */
export function cutPage<Found, View>(
  found: readonly Found[],
  limit: number,
  viewOf: (item: Found) => View,
  positionOf: (item: Found) => unknown,
): { items: View[]; next_cursor: string | null } {
  const items = found.slice(0, limit);
  const last = found.length > limit ? items.at(-1) : undefined;
  return {
    items: items.map(viewOf),
    next_cursor: last === undefined ? null : encodeCursor(positionOf(last)),
  };
}

/** @throws ProblemError when it is none of ours */
export function decodeCursor<Position extends z.ZodType>(
  schema: Position,
  cursor: string | undefined,
): z.output<Position> | undefined {
  if (cursor === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new ProblemError(
      'bad-request',
      'query.cursor: not a cursor of this list. Use the `next_cursor` of a page.',
      { errors: [{ field: 'query.cursor', message: 'not a cursor of this list' }] },
    );
  }
}
