/** The advertisers' world that all platforms show, each in its own words. Amounts are whole minor units of the currency. */
import { between, chance, pick } from './random.js';
import { metricOf, type DailyMetric } from './metrics.js';
import {
  addDays,
  clockOf,
  DAY_MS,
  days,
  type Account,
  type WorldCampaign,
  type WorldStatus,
} from './model.js';

export interface WorldOptions {
  seed: number;
  now: () => Date;
  campaignsPerAccount: number;
}

export interface MetricRow {
  campaign: WorldCampaign;
  date: string;
  metric: DailyMetric;
}

const NAMES = [
  'Brand',
  'Prospecting',
  'Retargeting',
  'Launch',
  'Seasonal',
  'Catalogue',
  'Lookalike',
  'Video',
] as const;
const REGIONS = ['DACH', 'UK', 'US', 'Nordics', 'GCC', 'France'] as const;
/** The world's first day: campaigns start in the two years behind it and later. */
const EPOCH = '2024-01-01';

const LISTINGS_KEPT = 8;
const MANAGER = /^9999\d{6}$/;

export class World {
  private readonly campaignsByAccount = new Map<string, WorldCampaign[]>();
  private readonly removed = new Set<string>();
  private readonly changes = new Map<string, number>();
  private readonly listings = new Map<string, readonly MetricRow[]>();
  private aheadMs = 0;

  constructor(private readonly options: WorldOptions) {}

  now(): Date {
    return new Date(this.options.now().getTime() + this.aheadMs);
  }

  /** An account's own day; without one that of UTC. */
  today({ timeZone }: Pick<Account, 'timeZone'> = { timeZone: 'UTC' }): string {
    return clockOf(this.now(), timeZone).today;
  }

  /** Lets days pass. */
  advance(count: number): void {
    this.aheadMs += count * DAY_MS;
  }

  /** The last digit of an account's id decides its currency (5 EUR, 7 KWD with three decimals, 8 HUF, 9 JPY with none, else USD) and time zone (6 New York, else UTC). Ids that begin with 9999 are managers'. */
  account(platform: string, id: string): Account {
    const currency = { '5': 'EUR', '7': 'KWD', '8': 'HUF', '9': 'JPY' }[id.at(-1) ?? ''] ?? 'USD';
    return {
      platform,
      id,
      name: `Sandbox ${id.slice(-4)}`,
      currency,
      timeZone: id.endsWith('6') ? 'America/New_York' : 'UTC',
      isManager: MANAGER.test(id),
      minorDigits: { KWD: 3, JPY: 0 }[currency] ?? 2,
    };
  }

  /** The campaigns that the platform lists today: launched so far and not removed. */
  campaigns(account: Account): WorldCampaign[] {
    const today = this.today(account);
    if (account.isManager) return [];
    return this.all(account).filter(
      (campaign) => campaign.startedOn <= today && !this.removed.has(keyOf(account, campaign.id)),
    );
  }

  /** The campaigns that have figures: removed ones keep theirs. */
  reported(account: Account): WorldCampaign[] {
    if (account.isManager) return [];
    const today = this.today(account);
    return this.all(account).filter(({ startedOn }) => startedOn <= today);
  }

  /** Changes a campaign as its advertiser would; `false` when there is none of that id. */
  update(
    account: Account,
    campaignId: string,
    change: { status?: 'active' | 'paused'; dailyBudgetMinor?: number },
  ): boolean {
    const campaign = this.campaigns(account).find(({ id }) => id === campaignId);
    if (campaign === undefined) return false;
    if (change.dailyBudgetMinor !== undefined) {
      const { dailyBudgetMinor, formerBudgets } = campaign;
      formerBudgets.push({ until: this.today(account), dailyBudgetMinor });
      campaign.dailyBudgetMinor = change.dailyBudgetMinor;
    }
    if (change.status !== undefined) {
      campaign.status = change.status;
      campaign.endedOn = change.status === 'active' ? undefined : this.today(account);
    }
    const key = keyOf(account, campaignId);
    this.changes.set(key, (this.changes.get(key) ?? 0) + 1);
    this.listings.clear();
    return true;
  }

  /** How often a campaign was changed. */
  changeCount(account: Account, campaignId: string): number {
    return this.changes.get(keyOf(account, campaignId)) ?? 0;
  }

  /** Takes a campaign out of every listing. */
  remove(account: Account, campaignId: string): void {
    this.removed.add(keyOf(account, campaignId));
    const campaign = this.all(account).find(({ id }) => id === campaignId);
    if (campaign !== undefined) campaign.endedOn ??= this.today(account);
    this.listings.clear();
  }

  /** Rows with activity, day by day for each campaign, both days inclusive. */
  *metrics(
    account: Account,
    since: string,
    until: string,
    campaigns = this.reported(account),
  ): Generator<MetricRow> {
    const clock = clockOf(this.now(), account.timeZone);
    const last = until < clock.today ? until : clock.today;
    for (const campaign of campaigns) {
      for (const date of days(since, last)) {
        const metric = metricOf(`${this.options.seed}`, account, campaign, date, clock);
        if (metric !== undefined) yield { campaign, date, metric };
      }
    }
  }

  /** All of `metrics` at once. Kept for the requests for further pages, which follow within the hour. */
  metricRows(account: Account, since: string, until: string): readonly MetricRow[] {
    const hour = this.now().toISOString().slice(0, 13);
    const key = [account.platform, account.id, since, until, hour, this.removed.size].join('/');
    let rows = this.listings.get(key);
    if (rows === undefined) {
      rows = [...this.metrics(account, since, until)];
      if (this.listings.size >= LISTINGS_KEPT) this.listings.clear();
      this.listings.set(key, rows);
    }
    return rows;
  }

  private all(account: Account): WorldCampaign[] {
    const key = keyOf(account, '');
    let campaigns = this.campaignsByAccount.get(key);
    if (campaigns === undefined) {
      campaigns = Array.from({ length: this.options.campaignsPerAccount }, (_, index) =>
        this.campaign(account, index),
      );
      this.campaignsByAccount.set(key, campaigns);
    }
    return campaigns;
  }

  private campaign(account: Account, index: number): WorldCampaign {
    const key = `${this.options.seed}/${account.platform}/${account.id}/${index}`;
    const startedOn = addDays(EPOCH, Math.floor(between(`${key}/start`, 0, 700)));
    const fate = chance(`${key}/fate`);
    const status: WorldStatus = fate < 0.75 ? 'active' : fate < 0.92 ? 'paused' : 'archived';
    const lived = Math.floor(between(`${key}/lived`, 30, 900));
    return {
      id: String(120_000_000_000 + Math.floor(chance(`${key}/id`) * 1e6) * 100_000 + index),
      name: `${pick(`${key}/name`, NAMES)} ${pick(`${key}/region`, REGIONS)} ${index + 1}`,
      objective: pick(`${key}/objective`, ['sales', 'sales', 'traffic', 'awareness'] as const),
      status,
      // Whole units of the currency, in its minor units: 20 to 500.
      dailyBudgetMinor: Math.floor(between(`${key}/budget`, 20, 500)) * 10 ** account.minorDigits,
      formerBudgets: [],
      startedOn,
      endedOn: status === 'active' ? undefined : addDays(startedOn, lived),
    };
  }
}

function keyOf(account: Account, campaignId: string): string {
  return `${account.platform}/${account.id}/${campaignId}`;
}

/** What all campaigns have spent, day by day; days without spend are missing. */
export function spendByDay(rows: readonly MetricRow[]): { date: string; minor: number }[] {
  const spent = new Map<string, number>();
  for (const { date, metric } of rows) spent.set(date, (spent.get(date) ?? 0) + metric.spendMinor);
  return [...spent].map(([date, minor]) => ({ date, minor })).toSorted((a, b) => (a.date < b.date ? -1 : 1));
}
