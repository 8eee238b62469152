/** Google's ads and their daily figures. Campaigns whose ads Google composes itself (Performance Max) have none. */
import { z } from 'zod';
import type { DateWindow } from '../../values/days.js';
import { decimalFromCount, decimalFromMicros } from '../../values/money.js';
import type { CreativeKind, CreativeMetricRecord, CreativeRecord } from '../connector.js';
import { chosenConversions } from './conversions.js';
import { dailyFigures, pageSchema, type Search } from './pages.js';

const AD_QUERY = `SELECT ad_group_ad.resource_name, ad_group_ad.ad.name, ad_group_ad.ad.type, ad_group_ad.status, ad_group.status, campaign.id, campaign.status FROM ad_group_ad WHERE ad_group_ad.status != 'REMOVED'`;

const metricQuery = ({ since, until }: DateWindow): string =>
  `SELECT ad_group_ad.resource_name, segments.date, metrics.impressions, metrics.clicks, metrics.cost_micros, metrics.conversions, metrics.conversions_value FROM ad_group_ad WHERE segments.date BETWEEN '${since}' AND '${until}'`;

/** `customers/1/adGroupAds/2~3`: the ad group and the ad together are the id. */
const resourceName = z
  .string()
  .regex(/^customers\/\d+\/adGroupAds\/\d+~\d+$/)
  .transform((name) => name.slice(name.lastIndexOf('/') + 1));

const adPage = pageSchema(
  z.object({
    adGroupAd: z.object({
      resourceName,
      status: z.string(),
      ad: z.object({ name: z.string().default(''), type: z.string().default('UNKNOWN') }).prefault({}),
    }),
    adGroup: z.object({ status: z.string() }).optional(),
    campaign: z.object({ id: z.string(), status: z.string() }),
  }),
);

const metricPage = pageSchema(
  z.object({
    adGroupAd: z.object({ resourceName }),
    segments: z.object({ date: z.iso.date() }),
    metrics: dailyFigures,
  }),
);

export async function* googleCreatives(search: Search): AsyncIterable<CreativeRecord[]> {
  for await (const rows of search(AD_QUERY, adPage))
    yield rows.map(({ adGroupAd: { resourceName: id, status, ad }, adGroup, campaign }) => ({
      externalId: id,
      campaignExternalId: campaign.id,
      name: ad.name === '' ? `${ad.type.toLowerCase().replaceAll('_', ' ')} ${id}` : ad.name,
      kind: kindOf(ad.type),
      status: statusOf([status, adGroup?.status ?? 'ENABLED', campaign.status]),
    }));
}

export async function* googleCreativeMetrics(
  search: Search,
  window: DateWindow,
  chosen: readonly string[] | null | undefined,
): AsyncIterable<CreativeMetricRecord[]> {
  const own = chosen ? await chosenConversions(search, 'ad_group_ad', window, chosen) : undefined;
  for await (const rows of search(metricQuery(window), metricPage))
    yield rows.map(({ adGroupAd: { resourceName: id }, segments, metrics }) => ({
      creativeExternalId: id,
      date: segments.date,
      impressions: metrics.impressions,
      clicks: metrics.clicks,
      spend: decimalFromMicros(metrics.costMicros),
      ...(own === undefined
        ? {
            conversions: decimalFromCount(metrics.conversions),
            revenue: decimalFromCount(metrics.conversionsValue),
          }
        : {
            conversions: own.get(`${id}/${segments.date}`)?.conversions ?? '0',
            revenue: own.get(`${id}/${segments.date}`)?.revenue ?? '0',
          }),
      frequency: null,
    }));
}

function statusOf(chain: readonly string[]): CreativeRecord['status'] {
  if (chain.includes('REMOVED')) return 'archived';
  return chain.every((status) => status === 'ENABLED') ? 'active' : 'paused';
}

function kindOf(type: string): CreativeKind {
  if (type.includes('VIDEO')) return 'video';
  if (/CAROUSEL|SHOPPING|HOTEL|TRAVEL/.test(type)) return 'carousel';
  if (/IMAGE|DISPLAY|DEMAND_GEN|DISCOVERY/.test(type)) return 'image';
  return /SEARCH|TEXT|CALL/.test(type) ? 'text' : 'other';
}
