/** The figures that the sandbox reports of an account, in no platform's format: for tests that compare. */
import { decimal } from './platforms/adapter.js';
import { uuidOf } from './platforms/snapchat.js';
import { buyingType } from './platforms/tiktok.js';
import type { SandboxPlatform } from './world/model.js';
import type { World } from './world/world.js';

export interface AccountTruth {
  currency: string;
  campaigns: { id: string; name: string }[];
  metrics: {
    campaignId: string;
    date: string;
    impressions: number;
    clicks: number;
    /** Exact decimals in major units. */
    spend: string;
    conversions: number;
    /** TikTok's report has none: `null`. */
    revenue: string | null;
  }[];
}

export function truthOf(
  world: World,
  platform: SandboxPlatform,
  accountId: string,
  since: string,
  until: string,
): AccountTruth {
  const account = world.account(platform, accountId);
  const campaigns = world.campaigns(account);
  const reported =
    platform === 'tiktok' ? campaigns.filter((each) => buyingType(each) === 'AUCTION') : campaigns;
  const idOf = (campaign: (typeof campaigns)[number]): string =>
    platform === 'snapchat' ? uuidOf(account, campaign) : campaign.id;
  return {
    currency: account.currency,
    campaigns: campaigns.map((campaign) => ({ id: idOf(campaign), name: campaign.name })),
    metrics: [...world.metrics(account, since, until, reported)].map(({ campaign, date, metric }) => ({
      campaignId: idOf(campaign),
      date,
      impressions: metric.impressions,
      clicks: metric.clicks,
      spend: decimal(metric.spendMinor, account.minorDigits),
      conversions: metric.conversions,
      revenue: platform === 'tiktok' ? null : decimal(metric.revenueMinor, account.minorDigits),
    })),
  };
}
