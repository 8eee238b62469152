/** The figures that the sandbox reports of an account, in no platform's format: for tests that compare. */
import { adRows, listedAds } from './world/ads.js';
import { leadsOf } from './world/metrics.js';
import { decimal } from './platforms/adapter.js';
import { SIMULATIONS, type SandboxPlatform } from './platforms/platforms.js';
import type { World } from './world/world.js';

export interface AccountTruth {
  currency: string;
  campaigns: { id: string; name: string; dailyBudget: string }[];
  metrics: {
    campaignId: string;
    date: string;
    impressions: number;
    clicks: number;
    /** Exact decimals in major units. */
    spend: string;
    /** `null` where the platform's report has none, as revenue. */
    conversions: number | null;
    leads: number;
    revenue: string | null;
  }[];
  ads: { id: string; campaignId: string; status: string }[];
  adMetrics: {
    adId: string;
    date: string;
    impressions: number;
    clicks: number;
    spend: string;
    conversions: number | null;
    leads: number;
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
  const { adId, campaignId, reports, knowsConversions, knowsRevenue } = SIMULATIONS[platform];
  const reported = world.reported(account).filter(reports);
  return {
    currency: account.currency,
    campaigns: campaigns.map((campaign) => ({
      id: campaignId(account, campaign),
      name: campaign.name,
      dailyBudget: decimal(campaign.dailyBudgetMinor, account.minorDigits),
    })),
    metrics: [...world.metrics(account, since, until, reported)].map(({ campaign, date, metric }) => ({
      campaignId: campaignId(account, campaign),
      date,
      impressions: metric.impressions,
      clicks: metric.clicks,
      spend: decimal(metric.spendMinor, account.minorDigits),
      conversions: knowsConversions(campaign, metric.conversions) ? metric.conversions : null,
      leads: leadsOf(metric),
      revenue: knowsRevenue(campaign, metric.conversions)
        ? decimal(metric.revenueMinor, account.minorDigits)
        : null,
    })),
    ads: listedAds(world, account)
      .filter(({ campaign }) => reports(campaign))
      .map((ad) => ({
        id: adId(account, ad),
        campaignId: campaignId(account, ad.campaign),
        status: ad.campaign.status === 'active' ? ad.status : ad.campaign.status,
      })),
    adMetrics: adRows(world, account, since, until)
      .filter(({ ad }) => reports(ad.campaign))
      .map(({ ad, date, metric }) => ({
        adId: adId(account, ad),
        date,
        impressions: metric.impressions,
        clicks: metric.clicks,
        spend: decimal(metric.spendMinor, account.minorDigits),
        conversions: knowsConversions(ad.campaign, metric.conversions) ? metric.conversions : null,
        leads: leadsOf(metric),
      })),
  };
}
