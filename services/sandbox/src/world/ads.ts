/** The ads of a campaign: a still that goes on, and a film that people tire of within a fortnight, when another one replaces it. */
import { daysBetween, type Account, type WorldCampaign, type WorldStatus } from './model.js';
import type { DailyMetric } from './metrics.js';
import type { MetricRow, World } from './world.js';

export interface WorldAd {
  campaign: WorldCampaign;
  /** Of the campaign's ads: 0 is the still, and films follow in the order of their days. */
  index: number;
  name: string;
  kind: 'image' | 'video';
  status: WorldStatus;
}

export interface AdMetricRow {
  ad: WorldAd;
  date: string;
  metric: DailyMetric;
}

const FILM_DAYS = 14;
/** From this day on hardly anybody clicks on a film any more. */
const WORN_FROM = 11;
const WORN = 0.2;
const SEEN_AT_FIRST = 1.4;
const SEEN_MORE_EACH_DAY = 0.25;

/** The ads that the platform lists today. */
export function listedAds(world: World, account: Account): WorldAd[] {
  return world.campaigns(account).flatMap((campaign) => adsOf(campaign, world.today(account)));
}

/** The figures of all ads, both days inclusive. */
export function adRows(world: World, account: Account, since: string, until: string): AdMetricRow[] {
  return world.metricRows(account, since, until).flatMap((row) => adMetrics(row, world.today(account)));
}

/** The still, the film of the day, and the one before it, which is paused. */
function adsOf(campaign: WorldCampaign, today: string): WorldAd[] {
  const film = filmOn(campaign, today);
  return [
    still(campaign),
    filmOf(campaign, film, film),
    ...(film > 1 ? [filmOf(campaign, film - 1, film)] : []),
  ];
}

/** What a campaign's ads had on a day; together it is what the campaign had. */
export function adMetrics({ campaign, date, metric }: MetricRow, today: string): AdMetricRow[] {
  const film = filmOn(campaign, date);
  const age = daysBetween(campaign.startedOn, date) % FILM_DAYS;
  const share = age >= WORN_FROM ? WORN / 2 : 0.5;
  const impressions = Math.floor(metric.impressions / 2);
  const ofFilm: DailyMetric = {
    impressions,
    clicks: Math.min(impressions, Math.floor(metric.clicks * share)),
    reach: Math.floor(impressions / (SEEN_AT_FIRST + SEEN_MORE_EACH_DAY * age)),
    conversions: Math.floor(metric.conversions * share),
    spendMinor: Math.floor(metric.spendMinor / 2),
    revenueMinor: Math.floor(metric.revenueMinor * share),
  };
  const ofStill: DailyMetric = {
    impressions: metric.impressions - impressions,
    clicks: metric.clicks - ofFilm.clicks,
    reach: Math.floor((metric.impressions - impressions) / SEEN_AT_FIRST),
    conversions: metric.conversions - ofFilm.conversions,
    spendMinor: metric.spendMinor - ofFilm.spendMinor,
    revenueMinor: metric.revenueMinor - ofFilm.revenueMinor,
  };
  return [
    { ad: still(campaign), date, metric: ofStill },
    { ad: filmOf(campaign, film, filmOn(campaign, today)), date, metric: ofFilm },
  ].filter((row) => row.metric.impressions > 0 || row.metric.spendMinor > 0);
}

/** Digits, unique in the account. */
export function adNumber({ campaign, index }: Pick<WorldAd, 'campaign' | 'index'>): string {
  return `${campaign.id}${String(index).padStart(4, '0')}`;
}

const filmOn = ({ startedOn }: WorldCampaign, date: string): number =>
  1 + Math.floor(daysBetween(startedOn, date) / FILM_DAYS);

function still(campaign: WorldCampaign): WorldAd {
  return { campaign, index: 0, name: `${campaign.name} / still`, kind: 'image', status: campaign.status };
}

function filmOf(campaign: WorldCampaign, index: number, shown: number): WorldAd {
  return {
    campaign,
    index,
    name: `${campaign.name} / film ${index}`,
    kind: 'video',
    status: index === shown ? campaign.status : 'paused',
  };
}
