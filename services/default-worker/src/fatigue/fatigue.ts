/** How tired a creative is: its day against its own seven days before. */
import {
  clamp,
  rateHasFallen,
  ratio,
  relativeChange,
  revenueHasFallen,
  yieldHasFallen,
} from '../statistics.js';

export interface Performance {
  impressions: number;
  clicks: number;
  spend: number;
  /** `null` where nobody reports them, as revenue. */
  conversions: number | null;
  revenue: number | null;
}

export interface FatigueInput {
  day: Performance;
  baseline: Performance;
  /** How often each person has seen it. */
  frequency: number | null;
  /** The smoothed score of the last day that had one. */
  previous: number | null;
}

export type FatigueStatus = 'refresh' | 'watch' | 'healthy' | 'not_enough_data';

export interface Fatigue {
  status: FatigueStatus;
  raw: number | null;
  score: number | null;
  /** Each part in 0…1; `null` where it cannot be known. */
  evidence: {
    ctr_drop: number | null;
    roas_drop: number | null;
    cpa_rise: number | null;
    exposure: number | null;
  };
}

const WEIGHTS = { ctr_drop: 0.35, roas_drop: 0.35, cpa_rise: 0.2, exposure: 0.1 } as const;
const SMOOTHING = 0.4;
const MIN_IMPRESSIONS = 1_000;
const REFRESH_FROM = 0.65;
const WATCH_FROM = 0.45;
/** Exposure grows from nothing at the first frequency to its full at the second. */
const EXPOSURE = { from: 2, to: 5 } as const;

/**
 * 0.35·CTR drop + 0.35·ROAS drop + 0.20·CPA rise + 0.10·exposure, smoothed with α = 0.4. A part that is unknown, or no more than
 * chance explains at this volume, adds nothing.
 */
export function fatigueOf({ day, baseline, frequency, previous }: FatigueInput): Fatigue {
  const evidence = {
    ctr_drop: ctrDrop(day, baseline),
    roas_drop: roasDrop(day, baseline),
    cpa_rise: cpaRise(day, baseline),
    exposure:
      frequency === null ? null : clamp((frequency - EXPOSURE.from) / (EXPOSURE.to - EXPOSURE.from), 0, 1),
  };
  if (day.impressions < MIN_IMPRESSIONS || baseline.impressions < MIN_IMPRESSIONS) {
    return { status: 'not_enough_data', raw: null, score: null, evidence };
  }
  const raw =
    WEIGHTS.ctr_drop * (evidence.ctr_drop ?? 0) +
    WEIGHTS.roas_drop * (evidence.roas_drop ?? 0) +
    WEIGHTS.cpa_rise * (evidence.cpa_rise ?? 0) +
    WEIGHTS.exposure * (evidence.exposure ?? 0);
  const score = previous === null ? raw : SMOOTHING * raw + (1 - SMOOTHING) * previous;
  return { status: statusOf(score), raw, score, evidence };
}

function statusOf(score: number): FatigueStatus {
  if (score >= REFRESH_FROM) return 'refresh';
  return score >= WATCH_FROM ? 'watch' : 'healthy';
}

function ctrDrop(day: Performance, baseline: Performance): number | null {
  const change = relativeChange(
    ratio(day.clicks, day.impressions),
    ratio(baseline.clicks, baseline.impressions),
  );
  if (change === null) return null;
  const isReal = rateHasFallen(
    { hits: day.clicks, trials: day.impressions },
    { hits: baseline.clicks, trials: baseline.impressions },
  );
  return isReal ? clamp(-change, 0, 1) : 0;
}

function roasDrop(day: Performance, baseline: Performance): number | null {
  const change = relativeChange(ratio(day.revenue, day.spend), ratio(baseline.revenue, baseline.spend));
  if (change === null) return null;
  const isReal = revenueHasFallen(day, baseline) || yieldHasFallen(day, baseline);
  return isReal ? clamp(-change, 0, 1) : 0;
}

/** Money for no conversion at all is the highest cost per conversion that there is. */
function cpaRise(day: Performance, baseline: Performance): number | null {
  const before = ratio(baseline.spend, baseline.conversions);
  if (before === null || day.conversions === null || day.spend <= 0) return null;
  const change = day.conversions === 0 ? 1 : relativeChange(day.spend / day.conversions, before);
  if (change === null) return null;
  return yieldHasFallen(day, baseline) ? clamp(change, 0, 1) : 0;
}
