/** The interface of every ad platform's connector, free of any platform's terms. */
import type { DateWindow } from '../values/days.js';

export type CampaignStatus = 'active' | 'paused' | 'archived' | 'removed' | 'unknown';

/** Amounts are decimal strings in major units of the currency, exact: `"14.35"`. */
export interface CampaignRecord {
  externalId: string;
  name: string;
  status: CampaignStatus;
  /** As the platform calls it. */
  platformStatus: string;
  objective: string | null;
  dailyBudget: string | null;
  lifetimeBudget: string | null;
  /** RFC 3339. */
  startedAt: string | null;
}

export interface DailyMetricRecord {
  campaignExternalId: string;
  /** For a campaign that no listing shows any more. */
  campaignName?: string | undefined;
  /** The account's local day, YYYY-MM-DD. */
  date: string;
  impressions: number;
  clicks: number;
  /** `null` where the platform does not say. */
  reach: number | null;
  spend: string;
  /** `null` where the platform does not say, or nobody asked it to bring any. */
  conversions: string | null;
  /** `null` where the platform does not say. */
  revenue: string | null;
}

/** What an ad shows. */
export type CreativeKind = 'image' | 'video' | 'carousel' | 'text' | 'other';

/** An ad: a creative as one campaign shows it. */
export interface CreativeRecord {
  externalId: string;
  campaignExternalId: string;
  name: string;
  kind: CreativeKind;
  /** An ad that is on is `paused` while something above it is off or the platform holds it up. */
  status: 'active' | 'paused' | 'archived';
}

export interface CreativeMetricRecord {
  creativeExternalId: string;
  /** The account's local day, YYYY-MM-DD. */
  date: string;
  impressions: number;
  clicks: number;
  spend: string;
  /** `null` where the platform does not say, or nobody asked it to bring any. */
  conversions: string | null;
  /** `null` where the platform does not say. */
  revenue: string | null;
  /** How often each person saw it that day; `null` where the platform does not say. */
  frequency: number | null;
}

/** What the account itself says that it has spent on a local day. */
export interface DailySpend {
  date: string;
  spend: string;
}

/** The account as the platform describes it. */
export interface AccountDescription {
  name: string;
  /** ISO 4217. */
  currency: string;
  /** An IANA time zone: the account's days are days there. */
  timeZone: string;
}

export interface ReadOptions {
  /** Ends the reading at once, with the signal's reason. */
  signal: AbortSignal;
}

/** A listing that an attempt began and another one continues. Platforms that cannot continue ignore it and begin anew. */
export interface ListingOptions extends ReadOptions {
  /** The place at which to begin, as `onPlace` was told of it by a reading of the same listing. */
  from?: string | undefined;
  /** Told before each page is given out: the place behind that page, in the platform's own terms. */
  onPlace?: ((place: string) => void) | undefined;
}

/** The wanted state of a campaign: targets, never steps, so that applying it twice changes nothing more. */
export interface CampaignChange {
  status?: 'active' | 'paused';
  /** A decimal string in major units of the account's currency. */
  dailyBudget?: string;
}

/**
 * Reads one account, page by page: everything, or a `PlatformError`; a listing that ended early never looks complete.
 */
export interface PlatformConnector {
  readonly platform: string;
  /** Fails as the other calls do, so it shows, too, whether the credentials are good for the account. */
  describeAccount(options: ReadOptions): Promise<AccountDescription>;
  /** Every campaign that the platform lists: archived ones, too; deleted ones may be left out. */
  listCampaigns(options: ListingOptions): AsyncIterable<CampaignRecord[]>;
  /** One row for each campaign and day on which something happened, of campaigns of every status. */
  dailyMetrics(window: DateWindow, options: ListingOptions): AsyncIterable<DailyMetricRecord[]>;
  /** The account's own totals, by which the sum of its campaigns is checked; a day without spend may be missing. */
  accountSpend(window: DateWindow, options: ReadOptions): Promise<DailySpend[]>;
  /** Every ad that the platform lists; some leave out ads that have ended. */
  listCreatives(options: ReadOptions): AsyncIterable<CreativeRecord[]>;
  /** One row for each ad and day on which something happened, also of ads that no listing shows any more. */
  creativeMetrics(window: DateWindow, options: ReadOptions): AsyncIterable<CreativeMetricRecord[]>;
  /** Resolves when the platform has taken the change. After a `transient` error it may have, or not: ask again. */
  updateCampaign(externalId: string, change: CampaignChange, options: ReadOptions): Promise<void>;
}
