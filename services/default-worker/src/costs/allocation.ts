/** Spreads the costs of a day over platforms, campaigns, labels and cost centres. Amounts are whole minor units. */
import { apportion, divideRounded } from './apportion.js';

export interface CampaignCost {
  campaignId: string;
  platform: string;
  labels: readonly string[];
  currency: string;
  /** Millionths of the major unit. */
  spendMicros: bigint;
  impressions: bigint;
  /** Millionths of a conversion. */
  conversions: bigint;
}

export interface SharedCost {
  name: string;
  currency: string;
  /** The day's part of it. */
  minor: bigint;
  spreadBy: 'spend' | 'impressions' | 'conversions' | 'equally';
}

export const DIMENSIONS = ['platform', 'campaign', 'label', 'cost_centre'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface AllocationRow {
  /** `spend`, or the name of a shared cost. */
  source: string;
  currency: string;
  dimension: Dimension;
  key: string;
  minor: bigint;
}

const SPEND = 'spend';
const COST_CENTRE = 'cost-centre:';
/** Cost without a label, or without a campaign on that day to carry it. */
const NOBODY = '(none)';

/** Each dimension of each source sums to the source. */
export function allocateCosts(
  campaigns: readonly CampaignCost[],
  shared: readonly SharedCost[],
  microsPerMinor: (currency: string) => bigint,
): AllocationRow[] {
  const rows: AllocationRow[] = [];
  for (const currency of new Set(campaigns.map((campaign) => campaign.currency))) {
    const own = campaigns.filter((campaign) => campaign.currency === currency);
    const micros = own.reduce((sum, { spendMicros }) => sum + spendMicros, 0n);
    const total = divideRounded(micros, microsPerMinor(currency));
    const shares = apportion(
      total,
      own.map(({ spendMicros }) => spendMicros),
    );
    rows.push(...spread({ source: SPEND, currency, total }, own, shares));
  }
  for (const { name, currency, minor, spreadBy } of shared) {
    // Money of different currencies is no common measure.
    const bearers =
      spreadBy === 'spend' ? campaigns.filter((campaign) => campaign.currency === currency) : campaigns;
    const shares = apportion(
      minor,
      bearers.map((campaign) => weightOf(campaign, spreadBy)),
    );
    rows.push(...spread({ source: sourceOf(name), currency, total: minor }, bearers, shares));
  }
  return rows;
}

/** A cost may have the same name as a spend, and is still another source. */
function sourceOf(name: string): string {
  return name === SPEND ? `${SPEND} (shared cost)` : name;
}

function weightOf(campaign: CampaignCost, spreadBy: SharedCost['spreadBy']): bigint {
  switch (spreadBy) {
    case 'spend':
      return campaign.spendMicros;
    case 'impressions':
      return campaign.impressions;
    case 'conversions':
      return campaign.conversions;
    case 'equally':
      return 1n;
  }
}

function spread(
  { source, currency, total }: { source: string; currency: string; total: bigint },
  campaigns: readonly CampaignCost[],
  shares: readonly bigint[],
): AllocationRow[] {
  const sums = new Map(DIMENSIONS.map((dimension) => [dimension, new Map<string, bigint>()]));
  const add = (dimension: Dimension, key: string, minor: bigint): void => {
    const keys = sums.get(dimension);
    keys?.set(key, (keys.get(key) ?? 0n) + minor);
  };
  for (const [index, campaign] of campaigns.entries()) {
    const share = shares[index] ?? 0n;
    add('platform', campaign.platform, share);
    add('campaign', campaign.campaignId, share);
    const centres = campaign.labels.filter((label) => label.startsWith(COST_CENTRE));
    divide(
      centres.map((label) => label.slice(COST_CENTRE.length)),
      share,
      (key, part) => add('cost_centre', key, part),
    );
    divide(
      campaign.labels.filter((label) => !label.startsWith(COST_CENTRE)),
      share,
      (key, part) => add('label', key, part),
    );
  }
  if (campaigns.length === 0) for (const dimension of DIMENSIONS) add(dimension, NOBODY, total);
  return [...sums].flatMap(([dimension, keys]) =>
    [...keys].map(([key, minor]) => ({ source, currency, dimension, key, minor })),
  );
}

/** Equal parts for each of a campaign's labels. */
function divide(labels: readonly string[], share: bigint, add: (key: string, part: bigint) => void): void {
  const keys = labels.length === 0 ? [NOBODY] : labels.toSorted();
  for (const [index, part] of apportion(
    share,
    keys.map(() => 1n),
  ).entries())
    add(keys[index] ?? NOBODY, part);
}
