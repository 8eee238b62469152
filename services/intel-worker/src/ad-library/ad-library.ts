/** Meta's Ad Library: the ads of a page that run in some countries. Commercial ads carry no spend, so none is reported. */
import { z } from 'zod';
import { PlatformError, HttpClient, readMetaPages } from '@stratum/connectors/ad-platforms';

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
const MAX_ADS = 5_000;

const day = z
  .string()
  .transform((value) => value.slice(0, 10))
  .pipe(z.iso.date());
const adSchema = z.object({
  id: z.string(),
  ad_creative_bodies: z.array(z.string()).optional(),
  ad_creative_link_titles: z.array(z.string()).optional(),
  publisher_platforms: z.array(z.string()).optional(),
  ad_delivery_start_time: day.optional(),
  ad_delivery_stop_time: day.optional(),
});

export class AdLibrary {
  private readonly http: HttpClient;

  constructor(private readonly options: { baseUrl: string; accessToken: string; timeoutMs: number }) {
    this.http = new HttpClient({ platform: 'meta', timeoutMs: options.timeoutMs });
  }

  /** Every active ad. @throws PlatformError */
  async activeAds({ pageId, countries }: AdLibraryQuery, signal: AbortSignal): Promise<AdLibraryAd[]> {
    const ads: AdLibraryAd[] = [];
    const pages = readMetaPages({
      http: this.http,
      url: `${this.options.baseUrl}/ads_archive`,
      query: {
        search_page_ids: pageId,
        ad_reached_countries: JSON.stringify(countries),
        ad_active_status: 'ACTIVE',
        ad_type: 'ALL',
        fields: FIELDS,
      },
      accessToken: this.options.accessToken,
      pageSize: PAGE_SIZE,
      item: adSchema,
      signal,
    });
    for await (const page of pages) {
      // An empty page is the end, even if its paging says otherwise.
      if (page.length === 0) return ads;
      ads.push(...page.map((ad) => adOf(ad)));
      if (ads.length > MAX_ADS)
        throw new PlatformError('meta', 'permanent', `the page has more than ${MAX_ADS} active ads`, {
          platformCode: 'too_many_ads',
        });
    }
    return ads;
  }
}

function adOf(ad: z.infer<typeof adSchema>): AdLibraryAd {
  return {
    id: ad.id,
    text: ad.ad_creative_bodies?.join('\n') ?? null,
    title: ad.ad_creative_link_titles?.join('\n') ?? null,
    platforms: ad.publisher_platforms ?? null,
    startedOn: ad.ad_delivery_start_time ?? null,
    stoppedOn: ad.ad_delivery_stop_time ?? null,
  };
}
