/** Meta's Ad Library: the ads of a page that run in some countries. Commercial ads carry no spend, so none is reported. */
import { z } from 'zod';
import { PlatformError, HttpClient, parseReply, metaError } from '@stratum/connectors/ad-platforms';

export interface AdLibraryQuery {
  pageId: string;
  /** ISO 3166 codes of the countries that the ads have reached. */
  countries: readonly string[];
}

export interface AdLibraryAd {
  id: string;
  text: string | null;
  title: string | null;
  platforms: string[] | null;
  /** YYYY-MM-DD. */
  startedOn: string | null;
  stoppedOn: string | null;
}

/** Without `ad_snapshot_url`: that address holds the access token. */
const FIELDS =
  'id,ad_creative_bodies,ad_creative_link_titles,publisher_platforms,ad_delivery_start_time,ad_delivery_stop_time';
const PAGE_SIZE = 100;
const MAX_PAGES = 50;

const day = z
  .string()
  .transform((value) => value.slice(0, 10))
  .pipe(z.iso.date());
const pageSchema = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      ad_creative_bodies: z.array(z.string()).optional(),
      ad_creative_link_titles: z.array(z.string()).optional(),
      publisher_platforms: z.array(z.string()).optional(),
      ad_delivery_start_time: day.optional(),
      ad_delivery_stop_time: day.optional(),
    }),
  ),
  paging: z
    .object({ cursors: z.object({ after: z.string() }).optional(), next: z.string().optional() })
    .optional(),
});

export class AdLibrary {
  private readonly http: HttpClient;

  constructor(private readonly options: { baseUrl: string; accessToken: string; timeoutMs: number }) {
    this.http = new HttpClient({ platform: 'meta', timeoutMs: options.timeoutMs });
  }

  /** Every active ad. @throws PlatformError */
  async activeAds({ pageId, countries }: AdLibraryQuery, signal: AbortSignal): Promise<AdLibraryAd[]> {
    const ads: AdLibraryAd[] = [];
    let after: string | undefined;
    for (let count = 0; count < MAX_PAGES; count++) {
      const url = new URL(`${this.options.baseUrl}/ads_archive`);
      url.search = new URLSearchParams({
        search_page_ids: pageId,
        ad_reached_countries: JSON.stringify(countries),
        ad_active_status: 'ACTIVE',
        ad_type: 'ALL',
        fields: FIELDS,
        limit: String(PAGE_SIZE),
        ...(after === undefined ? {} : { after }),
      }).toString();
      const reply = await this.http.send({
        url,
        headers: { authorization: `Bearer ${this.options.accessToken}` },
        signal,
      });
      const error = metaError(reply);
      if (error !== undefined) throw error;
      const { data, paging } = parseReply('meta', pageSchema, reply.body);
      // An empty page is the end, even if its paging says otherwise.
      if (data.length === 0) return ads;
      ads.push(
        ...data.map((ad) => ({
          id: ad.id,
          text: ad.ad_creative_bodies?.join('\n') ?? null,
          title: ad.ad_creative_link_titles?.join('\n') ?? null,
          platforms: ad.publisher_platforms ?? null,
          startedOn: ad.ad_delivery_start_time ?? null,
          stoppedOn: ad.ad_delivery_stop_time ?? null,
        })),
      );
      const next = paging?.next === undefined ? undefined : paging.cursors?.after;
      if (next === undefined) return ads;
      if (next === after)
        throw new PlatformError('meta', 'transient', 'paging is stuck: a cursor came twice');
      after = next;
    }
    throw new PlatformError(
      'meta',
      'too_much_data',
      `the page has more than ${MAX_PAGES * PAGE_SIZE} active ads`,
    );
  }
}
