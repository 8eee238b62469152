/** A campaign's figures of one day: weekly and yearly seasons, a trend, chance, a budget, and creatives that tire. */
import { between, chance } from './random.js';
import { budgetOn, daysBetween, type Account, type Clock, type WorldCampaign } from './model.js';

export interface DailyMetric {
  impressions: number;
  clicks: number;
  reach: number;
  conversions: number;
  spendMinor: number;
  revenueMinor: number;
}

/** Forms that people fill in beside what they buy. */
export function leadsOf({ clicks }: Pick<DailyMetric, 'clicks'>): number {
  return Math.floor(clicks / CLICKS_PER_LEAD);
}

const CLICKS_PER_LEAD = 10;

/** Sunday first. */
const WEEKDAYS = [0.86, 1.04, 1.06, 1.05, 1.03, 1.08, 0.9];
/** The days until a creative is replaced; its click rate falls until then. */
const CREATIVE_LIFE_DAYS = 35;
const CREATIVE_LOSS = 0.4;
/** Conversions arrive late: the share known after each number of days. */
const KNOWN_CONVERSIONS = [0.6, 0.8, 0.92];
const HOURS = 24;

/** `undefined` on days without activity: before the launch, after the end, in the future. */
export function metricOf(
  seed: string,
  account: Account,
  campaign: WorldCampaign,
  date: string,
  clock: Clock,
): DailyMetric | undefined {
  if (date < campaign.startedOn || (campaign.endedOn !== undefined && date > campaign.endedOn))
    return undefined;
  const age = daysBetween(date, clock.today);
  if (age < 0) return undefined;
  const key = `${seed}/${account.platform}/${account.id}/${campaign.id}`;
  const day = `${key}/${date}`;
  const partOfDay = age === 0 ? (clock.hour + 1) / HOURS : 1;

  const spendShare = Math.min(1, demand(key, campaign, date) * between(`${day}/noise`, 0.82, 1.12));
  const spendMinor = Math.floor(budgetOn(campaign, date) * spendShare * delivery(campaign, date) * partOfDay);
  const unit = 10 ** account.minorDigits;
  const costPerThousand = between(`${key}/cpm`, 4, 14);
  const impressions = Math.floor((spendMinor / unit / costPerThousand) * 1000);
  if (impressions === 0) return undefined;
  const clicks = Math.min(impressions, Math.floor(impressions * clickRate(key, campaign, date)));
  const conversionRate = between(`${key}/cvr`, 0.008, 0.05) * between(`${day}/cvr`, 0.7, 1.3);
  const finalConversions = Math.floor(clicks * conversionRate + chance(`${day}/whole`));
  const conversions = Math.floor(finalConversions * (KNOWN_CONVERSIONS[age] ?? 1));
  const order = between(`${key}/order`, 25, 120) * unit;
  return {
    impressions,
    clicks,
    reach: Math.floor(impressions / between(`${day}/frequency`, 1.1, 2.4)),
    conversions,
    spendMinor,
    revenueMinor: Math.floor(conversions * order * between(`${day}/order`, 0.85, 1.15)),
  };
}

function demand(key: string, campaign: WorldCampaign, date: string): number {
  const moment = new Date(`${date}T00:00:00Z`);
  const week = WEEKDAYS[moment.getUTCDay()] ?? 1;
  const dayOfYear = daysBetween(`${date.slice(0, 4)}-01-01`, date);
  // Highest in late November.
  const year = 1 + 0.18 * Math.cos((2 * Math.PI * (dayOfYear - 328)) / 365);
  const trend = 1 + between(`${key}/trend`, -0.0002, 0.0004) * daysBetween(campaign.startedOn, date);
  return 0.8 * week * year * Math.max(0.3, trend);
}

/** One day in twelve a campaign is hardly shown: payment failed, or a review held it up. On each day it is another one's turn. */
function delivery(campaign: WorldCampaign, date: string): number {
  const turn = Number(campaign.id) + daysBetween('1970-01-01', date);
  return turn % OUTAGE_EVERY_DAYS === 0 ? OUTAGE_DELIVERY : 1;
}

const OUTAGE_EVERY_DAYS = 12;
const OUTAGE_DELIVERY = 0.3;

function clickRate(key: string, campaign: WorldCampaign, date: string): number {
  const age = daysBetween(campaign.startedOn, date) % CREATIVE_LIFE_DAYS;
  const fresh = 1 - CREATIVE_LOSS * (age / CREATIVE_LIFE_DAYS);
  return between(`${key}/ctr`, 0.008, 0.035) * fresh * between(`${key}/${date}/ctr`, 0.92, 1.08);
}
