/** Meta's listings: page by page along cursors, in smaller pages where Meta asks for less, with pauses where a quota comes to its end. */
import { z } from 'zod';
import type { ListingOptions } from '../connector.js';
import { PlatformError, SeenCursors } from '../errors.js';
import { pause, type HttpClient, type HttpReply } from '../http-client.js';
import { parseReply } from '../parse-reply.js';
import { metaError } from './errors.js';
import { quotaUse } from './quota.js';

export interface MetaListing<Item> extends ListingOptions {
  http: HttpClient;
  /** Of the edge, without a query. */
  url: string;
  query: Readonly<Record<string, string>>;
  accessToken: string;
  /** The first page's; later ones may be smaller. */
  pageSize: number;
  item: z.ZodType<Item>;
  quotaPauseMs?: number | undefined;
}

/** From here on the next requests are in danger. */
const QUOTA_LIMIT_PERCENT = 95;
const QUOTA_PAUSE_MS = 2_000;
/** Longer waits are the queue's: the task comes back when they are over, and its quota is whole then. */
const LONGEST_PAUSE_MS = 300_000;

const paging = z
  .object({ cursors: z.object({ after: z.string() }).optional(), next: z.string().optional() })
  .optional();

export async function* readMetaPages<Item>(listing: MetaListing<Item>): AsyncIterable<Item[]> {
  const { url, query, item, signal } = listing;
  const schema = z.object({ data: z.array(item), paging });
  const cursors = new SeenCursors('meta');
  let limit = listing.pageSize;
  let after = listing.from;
  for (;;) {
    const address = new URL(url);
    const cursor = after === undefined ? {} : { after };
    address.search = new URLSearchParams({ ...query, limit: String(limit), ...cursor }).toString();
    const reply = await listing.http.send({
      url: address,
      // In a header, not in the address: addresses end up in logs.
      headers: { authorization: `Bearer ${listing.accessToken}` },
      signal,
    });
    const error = metaError(reply);
    if (error?.kind === 'too_much_data' && limit > 1) {
      limit = Math.floor(limit / 2);
      continue;
    }
    if (error !== undefined) throw error;
    const page = parseReply('meta', schema, reply.body);
    const next = page.paging?.next === undefined ? undefined : page.paging.cursors?.after;
    if (next !== undefined) listing.onPlace?.(next);
    yield page.data;
    if (next === undefined) return;
    after = cursors.follow(next);
    await spareQuota(reply, listing);
  }
}

/** Waits in place, so that the pages read so far are not read again. */
async function spareQuota(
  { headers }: HttpReply,
  { quotaPauseMs, signal }: Pick<MetaListing<unknown>, 'quotaPauseMs' | 'signal'>,
): Promise<void> {
  const { percent, regainMs } = quotaUse(headers);
  if (percent < QUOTA_LIMIT_PERCENT) return;
  const wait = Math.max(quotaPauseMs ?? QUOTA_PAUSE_MS, regainMs);
  if (wait > LONGEST_PAUSE_MS)
    throw new PlatformError('meta', 'rate_limited', 'the quota is nearly used up', { retryAfterMs: wait });
  await pause(wait, signal);
}
