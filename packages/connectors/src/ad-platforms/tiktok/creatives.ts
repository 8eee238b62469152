/** TikTok's ads and their daily figures. Only auction ads are in its report. */
import { z } from 'zod';
import type { CreativeKind, CreativeMetricRecord, CreativeRecord } from '../connector.js';
import { tiktokResults } from './conversions.js';
import { metric, pageInfo, reportText } from './fields.js';

export const AD_FIELDS = [
  'ad_id',
  'ad_name',
  'campaign_id',
  'operation_status',
  'secondary_status',
  'ad_format',
] as const;
export const AD_METRICS = ['spend', 'impressions', 'clicks', 'frequency'] as const;

export const adPage = z.object({
  list: z.array(
    z.object({
      ad_id: z.string(),
      ad_name: z.string(),
      campaign_id: z.string(),
      operation_status: z.string(),
      secondary_status: z.string().optional(),
      ad_format: z.string().optional(),
    }),
  ),
  page_info: pageInfo,
});

export const adReportPage = z.object({
  list: z.array(
    z.object({
      dimensions: z.object({ ad_id: z.string(), stat_time_day: z.string() }),
      metrics: z
        .object({
          spend: metric,
          impressions: metric,
          clicks: metric,
          frequency: z.string(),
        })
        .catchall(reportText),
    }),
  ),
  page_info: pageInfo,
});

/** Secondary statuses of an ad that is switched on and not shown. */
const HELD_UP = /DISABLE|NOT_|DENY|DONE|EXCEED|OVERLAP|AUDIT/;
const KINDS: readonly (readonly [RegExp, CreativeKind])[] = [
  [/VIDEO|LIVE/, 'video'],
  [/CAROUSEL|CATALOG/, 'carousel'],
  [/IMAGE/, 'image'],
];

export function tiktokCreatives(list: z.infer<typeof adPage>['list']): CreativeRecord[] {
  return list.map((ad) => ({
    externalId: ad.ad_id,
    campaignExternalId: ad.campaign_id,
    name: ad.ad_name,
    kind: KINDS.find(([pattern]) => pattern.test(ad.ad_format ?? ''))?.[1] ?? 'other',
    status: statusOf(ad.operation_status, ad.secondary_status ?? ''),
  }));
}

export function tiktokCreativeMetrics(
  list: z.infer<typeof adReportPage>['list'],
  conversionActions: readonly string[] | null | undefined,
): CreativeMetricRecord[] {
  return list.map(({ dimensions, metrics }) => ({
    creativeExternalId: dimensions.ad_id,
    date: dimensions.stat_time_day.slice(0, 10),
    impressions: Number(metrics.impressions),
    clicks: Number(metrics.clicks),
    spend: metrics.spend,
    ...tiktokResults(metrics, conversionActions),
    frequency: metrics.frequency === '-' ? null : Number(metrics.frequency),
  }));
}

function statusOf(operation: string, secondary: string): CreativeRecord['status'] {
  if (operation === 'DELETE' || secondary.endsWith('_DELETE')) return 'archived';
  return operation === 'ENABLE' && !HELD_UP.test(secondary) ? 'active' : 'paused';
}
