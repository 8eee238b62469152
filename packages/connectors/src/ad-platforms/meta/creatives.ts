/** Meta's ads and their daily figures. */
import { z } from 'zod';
import type { DateWindow } from '../../values/days.js';
import type { CreativeKind, CreativeMetricRecord, CreativeRecord } from '../connector.js';
import { decimalText, wholeNumber } from '../fields.js';
import { actionSchema, results } from './results.js';

/** Reads a listing of the account's page by page. */
export type ReadEdge = <Item>(
  edge: string,
  query: Record<string, string>,
  pageSize: number,
  item: z.ZodType<Item>,
) => AsyncIterable<Item[]>;

const AD_PAGE = 200;
const INSIGHT_PAGE = 500;
const AD_FIELDS = 'id,name,campaign_id,effective_status,creative{object_type,video_id}';
const INSIGHT_FIELDS = 'ad_id,objective,date_start,impressions,clicks,spend,frequency,actions,action_values';

const adSchema = z.object({
  id: z.string(),
  name: z.string(),
  campaign_id: z.string(),
  effective_status: z.string(),
  creative: z.object({ object_type: z.string().optional(), video_id: z.string().optional() }).optional(),
});

const insightSchema = z.object({
  ad_id: z.string(),
  objective: z.string().optional(),
  date_start: z.iso.date(),
  impressions: wholeNumber.default(0),
  clicks: wholeNumber.default(0),
  spend: decimalText.default('0'),
  frequency: decimalText.optional(),
  actions: z.array(actionSchema).optional(),
  action_values: z.array(actionSchema).optional(),
});

const STATUSES: Readonly<Record<string, CreativeRecord['status']>> = {
  ACTIVE: 'active',
  IN_PROCESS: 'active',
  WITH_ISSUES: 'active',
  ARCHIVED: 'archived',
  DELETED: 'archived',
};
/** A link shows a picture; a status is words alone. */
const KINDS: Readonly<Record<string, CreativeKind>> = {
  VIDEO: 'video',
  PHOTO: 'image',
  SHARE: 'image',
  STATUS: 'text',
};

export async function* metaCreatives(read: ReadEdge): AsyncIterable<CreativeRecord[]> {
  for await (const ads of read('ads', { fields: AD_FIELDS }, AD_PAGE, adSchema))
    yield ads.map(({ id, name, campaign_id: campaign, effective_status: status, creative }) => ({
      externalId: id,
      campaignExternalId: campaign,
      name,
      kind: creative?.video_id === undefined ? (KINDS[creative?.object_type ?? ''] ?? 'other') : 'video',
      status: STATUSES[status] ?? 'paused',
    }));
}

export async function* metaCreativeMetrics(
  read: ReadEdge,
  { since, until }: DateWindow,
  conversionActions: readonly string[] | null | undefined,
): AsyncIterable<CreativeMetricRecord[]> {
  const query = {
    level: 'ad',
    time_increment: '1',
    time_range: JSON.stringify({ since, until }),
    fields: INSIGHT_FIELDS,
  };
  for await (const insights of read('insights', query, INSIGHT_PAGE, insightSchema))
    yield insights.map((insight) => ({
      creativeExternalId: insight.ad_id,
      date: insight.date_start,
      impressions: insight.impressions,
      clicks: insight.clicks,
      spend: insight.spend,
      frequency: insight.frequency === undefined ? null : Number(insight.frequency),
      ...results(insight, conversionActions),
    }));
}
