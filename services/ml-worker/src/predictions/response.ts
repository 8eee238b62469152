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
}

/** Where there is no evidence: returns diminish as they commonly do. */
const PRIOR = { elasticity: 0.7, variance: 0.04 } as const;
const BOUNDS = { min: 0.1, max: 0.95 } as const;
const MIN_DAYS = 14;
const RECENT_DAYS = 90;
const WEEK = 7;

/**
 * Log-log regression of revenue on spend for each campaign, each slope drawn towards the common one by as much as it is uncertain
 * (empirical Bayes). Campaigns without enough days that brought something are left out.
 */
export function fitResponses(campaigns: readonly CampaignDays[]): ResponseCurve[] {
  const fits = campaigns.flatMap((campaign) => {
    const fit = regress(campaign);
    return fit === undefined ? [] : [{ campaign, ...fit }];
  });
  const weight = fits.reduce((sum, { variance }) => sum + 1 / variance, 1 / PRIOR.variance);
  const pooled =
    fits.reduce((sum, { slope, variance }) => sum + slope / variance, PRIOR.elasticity / PRIOR.variance) /
    weight;
  return fits.map(({ campaign, slope, variance, meanLogSpend, meanLogRevenue }) => {
    const trust = PRIOR.variance / (PRIOR.variance + variance);
    const elasticity = Math.min(BOUNDS.max, Math.max(BOUNDS.min, trust * slope + (1 - trust) * pooled));
    const week = campaign.spend.slice(-WEEK);
    return {
      campaignId: campaign.campaignId,
      elasticity,
      scale: Math.exp(meanLogRevenue - elasticity * meanLogSpend),
      current: week.reduce((a, b) => a + b, 0) / Math.max(1, week.length),
    };
  });
}

function regress({
  spend,
  revenue,
}: CampaignDays):
  { slope: number; variance: number; meanLogSpend: number; meanLogRevenue: number } | undefined {
  if (revenue === null) return undefined;
  const from = Math.max(0, spend.length - RECENT_DAYS);
  const days = spend.flatMap((value, day) => {
    const brought = revenue[day] ?? 0;
    return day >= from && value > 0 && brought > 0 ? [{ x: Math.log(value), y: Math.log(brought) }] : [];
  });
  if (days.length < MIN_DAYS) return undefined;
  const meanX = days.reduce((sum, { x }) => sum + x, 0) / days.length;
  const meanY = days.reduce((sum, { y }) => sum + y, 0) / days.length;
  const squares = days.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  if (squares < 1e-9) return undefined;
  const slope = days.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / squares;
  const residual =
    days.reduce((sum, { x, y }) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0) / (days.length - 2);
  return { slope, variance: Math.max(1e-6, residual / squares), meanLogSpend: meanX, meanLogRevenue: meanY };
}

/** Return on ad spend at a daily spend. */
export function roasAt({ elasticity, scale }: ResponseCurve, spend: number): number {
  return scale * spend ** (elasticity - 1);
}

/** No budget moves by more than this at once. */
const LARGEST_SHIFT = 0.3;
const BISECTIONS = 100;

/**
 * The daily budgets that bring the most revenue for the same money, none moved by more than 30 %. At the best split the last unit of money
 * brings the same everywhere, so it is found by halving the range of that marginal return.
 */
export function bestBudgets(curves: readonly ResponseCurve[]): Map<number, number> {
  const active = curves.filter(({ current, scale }) => current > 0 && scale > 0);
  const total = active.reduce((sum, { current }) => sum + current, 0);
  const at = (marginal: number): number[] =>
    active.map(({ elasticity, scale, current }) => {
      const wanted = ((elasticity * scale) / marginal) ** (1 / (1 - elasticity));
      return Math.min(current * (1 + LARGEST_SHIFT), Math.max(current * (1 - LARGEST_SHIFT), wanted));
    });
  let low = 1e-12;
  let high = 1e12;
  for (let round = 0; round < BISECTIONS; round++) {
    const middle = Math.sqrt(low * high);
    const spent = at(middle).reduce((a, b) => a + b, 0);
    if (spent > total) low = middle;
    else high = middle;
  }
  const budgets = at(high);
  return new Map(active.map(({ campaignId }, index) => [campaignId, budgets[index] ?? 0]));
}
