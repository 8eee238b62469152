/** How the sandbox declares one ad platform: what it simulates, and the facts that a test of a connector starts from. */
import type { Account, WorldCampaign } from '../world/model.js';
import { adNumber, type WorldAd } from '../world/ads.js';
import type { AdapterOptions, PlatformAdapter } from './adapter.js';

export interface SimulationOptions<Setting extends string> {
  /** Path of each endpoint, by the environment variable that leads a service to it. */
  endpoints: Readonly<Record<Setting, `/${string}`>>;
  adapter: (options: AdapterOptions) => PlatformAdapter;
  /** The credentials that it accepts, as a user enters them. */
  credentials: Readonly<Record<string, string>>;
  /** An account id of the platform's form, from ten digits that it ends in. Default: the digits. */
  accountId?: (digits: string) => string;
  /** The id that the platform gives a campaign. Default: its number. */
  campaignId?: (account: Account, campaign: WorldCampaign) => string;
  /** The id that the platform gives an ad. Default: its number. */
  adId?: (account: Account, ad: WorldAd) => string;
  /** Whether the daily report has the campaign. Default: every one. */
  reports?: (campaign: WorldCampaign) => boolean;
  /** Whether the daily report says how many conversions a campaign had, by their number. Default: always. */
  knowsConversions?: (campaign: WorldCampaign, conversions: number) => boolean;
  /** Whether the daily report says what revenue a campaign with so many conversions had. Default: always. */
  knowsRevenue?: (campaign: WorldCampaign, conversions: number) => boolean;
  /** Whether a refused request learns how long to wait. Default true. */
  namesRetryDelay?: boolean;
  /** Whether access tokens are short-lived and refreshed by the client. Default false. */
  refreshesTokens?: boolean;
}

export type Simulation<Setting extends string = string> = Required<SimulationOptions<Setting>>;

/** Only campaigns that are to sell have conversions and revenue of nought; of others a report has what there is. */
export const asSold = ({ objective }: WorldCampaign, conversions: number): boolean =>
  conversions > 0 || objective === 'sales';

export function simulate<const Setting extends string>(
  options: SimulationOptions<Setting>,
): Simulation<Setting> {
  return Object.freeze({
    accountId: (digits: string) => digits,
    campaignId: (_account: Account, campaign: WorldCampaign) => campaign.id,
    adId: (_account: Account, ad: WorldAd) => adNumber(ad),
    reports: () => true,
    knowsConversions: () => true,
    knowsRevenue: () => true,
    namesRetryDelay: true,
    refreshesTokens: false,
    ...options,
  });
}
