/** Which of Google's conversion actions are a campaign's conversions, where the account has chosen some. */
import { z } from 'zod';
import type { DateWindow } from '../../values/days.js';
import { decimalFromCount } from '../../values/money.js';
import type { ConversionActions } from '../conversion-actions.js';
import { pageSchema, type Search } from './pages.js';

/** Without a choice `metrics.conversions` counts the account's primary goals. */
export const googleActions: ConversionActions = {
  help: 'Google Ads numbers its conversion actions, for example 987654321: ctId in the address of the page of the action.',
  parse: (text) => /^(?:customers\/\d{1,20}\/conversionActions\/)?(\d{1,20})$/.exec(text)?.[1],
  eventOf: (action) => action,
};

/** An action may be of the manager account, so that its name alone does not say its number. */
const actionNumber = z
  .string()
  .regex(/^customers\/\d+\/conversionActions\/\d+$/)
  .transform((name) => name.slice(name.lastIndexOf('/') + 1));

const row = z.object({
  campaign: z.object({ id: z.string(), name: z.string().optional() }).optional(),
  adGroupAd: z.object({ resourceName: z.string() }).optional(),
  segments: z.object({ date: z.iso.date(), conversionAction: actionNumber }),
  metrics: z
    .object({ allConversions: z.number().default(0), allConversionsValue: z.number().default(0) })
    .prefault({}),
});

export interface ChosenConversions {
  id: string;
  name: string | undefined;
  date: string;
  conversions: string;
  revenue: string;
}

const FIELDS = {
  campaign: 'campaign.id, campaign.name',
  ad_group_ad: 'ad_group_ad.resource_name',
} as const;

/**
 * By `<campaign or ad>/<day>`. A query of its own, because impressions and costs cannot be segmented by conversion action; of all
 * conversions, because an action that is chosen need not be a primary goal.
 */
export async function chosenConversions(
  search: Search,
  resource: keyof typeof FIELDS,
  { since, until }: DateWindow,
  chosen: readonly string[],
): Promise<Map<string, ChosenConversions>> {
  const query = `SELECT ${FIELDS[resource]}, segments.date, segments.conversion_action, metrics.all_conversions, metrics.all_conversions_value FROM ${resource} WHERE segments.date BETWEEN '${since}' AND '${until}'`;
  const sums = new Map<
    string,
    { id: string; name: string | undefined; date: string; count: number; value: number }
  >();
  for await (const rows of search(query, pageSchema(row)))
    for (const { campaign, adGroupAd, segments, metrics } of rows) {
      if (!chosen.includes(segments.conversionAction)) continue;
      const id = campaign?.id ?? adGroupAd?.resourceName.split('/').at(-1) ?? '';
      const { date } = segments;
      const sum = sums.get(`${id}/${date}`) ?? { id, name: campaign?.name, date, count: 0, value: 0 };
      sum.count += metrics.allConversions;
      sum.value += metrics.allConversionsValue;
      sums.set(`${id}/${date}`, sum);
    }
  return new Map(
    [...sums].map(([key, { count, value, ...place }]) => [
      key,
      { ...place, conversions: decimalFromCount(count), revenue: decimalFromCount(value) },
    ]),
  );
}
