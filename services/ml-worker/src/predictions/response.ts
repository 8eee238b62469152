/** Revenue at other budgets: a power of spend, with diminishing returns. */

export interface CampaignDays {
  campaignId: number;
  spend: readonly number[];
  /** `null`: unknown, and so is the response. */
  revenue: readonly number[] | null;
}

export interface ResponseCurve {
  campaignId: number;
  /** The elasticity: the per cent of revenue that 1 % more spend brings. */
  elasticity: number;
  /** Revenue at a spend of one. */
  scale: number;
  /** Mean daily spend of the last week. */
  current: number;
  /** What the days leave open about the curve. */
  doubt: Doubt;
}

interface Doubt {
  /** The logarithm of the spend at which the level is known best, and errors of level and elasticity are independent. */
  middle: number;
  /** Variance of the logarithm of the revenue at that spend. */
  level: number;
  /** Variance of the elasticity. */
  elasticity: number;
}

/** Where there is no evidence: returns diminish as they commonly do. Counts as this number of campaigns. */
const PRIOR = { elasticity: 0.7, variance: 0.04, campaigns: 2 } as const;
const BOUNDS = { min: 0.1, max: 0.95 } as const;
const MIN_DAYS = 14;
const RECENT_DAYS = 90;
const WEEK = 7;

/**
 * Quasi-Poisson regression of revenue on the logarithm of spend for each campaign, days without revenue included, each slope drawn towards
 * the common one by as much as it is uncertain (empirical Bayes). Campaigns without enough days, or without revenue, are left out. A
 * regression of logarithms would lose the days of nothing, and miss the level by half the variance.
 */
export function fitResponses(campaigns: readonly CampaignDays[]): ResponseCurve[] {
  const fits = campaigns.flatMap((campaign) => {
    const days = daysOf(campaign);
    const fit = regress(days);
    return fit === undefined ? [] : [{ campaign, days, ...fit }];
  });
  const { between, common } = pool(fits);
  return fits.map(({ campaign, days, slope, variance, middle, level }) => {
    const trust = between / (between + variance);
    const elasticity = Math.min(BOUNDS.max, Math.max(BOUNDS.min, trust * slope + (1 - trust) * common));
    const week = campaign.spend.slice(-WEEK);
    return {
      campaignId: campaign.campaignId,
      elasticity,
      // So that the curve brings what the days have brought, whatever its slope.
      scale: sum(days.map(({ y }) => y)) / sum(days.map(({ x }) => Math.exp(elasticity * x))),
      current: sum(week) / Math.max(1, week.length),
      doubt: { middle, level, elasticity: trust * variance },
    };
  });
}

/** The mean of the campaigns' elasticities, and how much they differ beyond chance (DerSimonian and Laird 1986). */
function pool(fits: readonly { slope: number; variance: number }[]): { between: number; common: number } {
  const weights = fits.map(({ variance }) => 1 / variance);
  const total = sum(weights);
  const mean = sum(fits.map(({ slope }, index) => slope * (weights[index] ?? 0))) / total;
  const spread = sum(fits.map(({ slope }, index) => (weights[index] ?? 0) * (slope - mean) ** 2));
  const squares = sum(weights.map((weight) => weight * weight));
  const seen = fits.length < 2 ? 0 : Math.max(0, (spread - (fits.length - 1)) / (total - squares / total));
  const between = (fits.length * seen + PRIOR.campaigns * PRIOR.variance) / (fits.length + PRIOR.campaigns);
  // By sampling error alone, one precise campaign would outweigh all others.
  const ofPrior = PRIOR.campaigns / (2 * between);
  const inPool = fits.map(({ variance }) => 1 / (variance + between));
  const common =
    (sum(fits.map(({ slope }, index) => slope * (inPool[index] ?? 0))) + PRIOR.elasticity * ofPrior) /
    (sum(inPool) + ofPrior);
  return { between, common };
}

/** The logarithm of a day's spend, and its revenue. */
interface Day {
  x: number;
  y: number;
}

function daysOf({ spend, revenue }: CampaignDays): Day[] {
  const from = Math.max(0, spend.length - RECENT_DAYS);
  return spend.flatMap((value, day) =>
    revenue !== null && day >= from && value > 0 ? [{ x: Math.log(value), y: revenue[day] ?? 0 }] : [],
  );
}

const STEPS = 50;
/** The slope is looked for in here. */
const SLOPES = { min: -2, max: 4 } as const;

interface Fit {
  slope: number;
  /** Of the slope. */
  variance: number;
  middle: Doubt['middle'];
  level: Doubt['level'];
}

/** Iteratively reweighted least squares, with the level concentrated out. The variance is of the quasi-Poisson family: φ times the mean. */
function regress(days: readonly Day[]): Fit | undefined {
  const brought = sum(days.map(({ y }) => y));
  if (days.length < MIN_DAYS || brought <= 0) return undefined;
  let slope: number = PRIOR.elasticity;
  let information = 0;
  let middle = 0;
  let means: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const weights = days.map(({ x }) => Math.exp(slope * (x - (days[0]?.x ?? 0))));
    const level = brought / sum(weights);
    means = weights.map((weight) => level * weight);
    middle = sum(days.map(({ x }, index) => x * (means[index] ?? 0))) / brought;
    information = sum(days.map(({ x }, index) => (means[index] ?? 0) * (x - middle) ** 2));
    // Days of one spend show no response.
    if (information < 1e-9 * brought) return undefined;
    const score = sum(days.map(({ x, y }, index) => (y - (means[index] ?? 0)) * (x - middle)));
    const next = Math.min(
      SLOPES.max,
      Math.max(SLOPES.min, slope + Math.min(1, Math.max(-1, score / information))),
    );
    const isDone = Math.abs(next - slope) < 1e-10;
    slope = next;
    if (isDone) break;
  }
  const dispersion =
    sum(days.map(({ y }, index) => (y - (means[index] ?? 0)) ** 2 / (means[index] ?? 1))) / (days.length - 2);
  return {
    slope,
    variance: Math.max(1e-6, dispersion / information),
    middle,
    level: dispersion / brought,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Return on ad spend at a daily spend. */
export function roasAt({ elasticity, scale }: ResponseCurve, spend: number): number {
  return scale * spend ** (elasticity - 1);
}

/** No budget moves by more than this at once. */
const LARGEST_SHIFT = 0.3;
const BISECTIONS = 100;
/** The gain of a shift has to exceed its standard error by this: then it seldom harms. */
const CERTAIN = 1.64;

/**
 * The daily budgets that bring the most revenue for the same money, none moved by more than 30 %; none at all where the gain may well be
 * chance. At the best split the last unit of money brings the same everywhere, so it is found by halving the range of that marginal return.
 */
export function bestBudgets(curves: readonly ResponseCurve[]): Map<number, number> {
  const active = curves.filter(({ current, scale }) => current > 0 && scale > 0);
  const total = sum(active.map(({ current }) => current));
  const at = (marginal: number): number[] =>
    active.map(({ elasticity, scale, current }) => {
      const wanted = ((elasticity * scale) / marginal) ** (1 / (1 - elasticity));
      return Math.min(current * (1 + LARGEST_SHIFT), Math.max(current * (1 - LARGEST_SHIFT), wanted));
    });
  let low = 1e-12;
  let high = 1e12;
  for (let round = 0; round < BISECTIONS; round++) {
    const middle = Math.sqrt(low * high);
    const spent = sum(at(middle));
    if (spent > total) low = middle;
    else high = middle;
  }
  const budgets = at(high);
  const gains = active.map((curve, index) => gainOf(curve, budgets[index] ?? curve.current));
  const isCertain =
    sum(gains.map(({ gain }) => gain)) > CERTAIN * Math.sqrt(sum(gains.map(({ variance }) => variance)));
  return new Map(isCertain ? active.map(({ campaignId }, index) => [campaignId, budgets[index] ?? 0]) : []);
}

/** The revenue that a move is expected to bring, and its variance, by the delta method. */
function gainOf(
  { elasticity, scale, current, doubt }: ResponseCurve,
  budget: number,
): { gain: number; variance: number } {
  const revenueAt = (spend: number): number => scale * spend ** elasticity;
  const perElasticity = (spend: number): number => revenueAt(spend) * (Math.log(spend) - doubt.middle);
  const gain = revenueAt(budget) - revenueAt(current);
  const slope = perElasticity(budget) - perElasticity(current);
  return { gain, variance: gain ** 2 * doubt.level + slope ** 2 * doubt.elasticity };
}
