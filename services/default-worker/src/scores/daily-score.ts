/** Whether a campaign deserves more money: its day against its own seven days before. */
import { clamp, ratio, relativeChange } from '../statistics.js';

export interface CampaignDay {
  impressions: number;
  clicks: number;
  spend: number;
  /** `null`: unknown. */
  conversions: number | null;
  revenue: number | null;
  reach: number | null;
}

export interface ScoreInput {
  day: CampaignDay;
  baseline: CampaignDay;
  /** Days of the seven that have figures. */
  baselineDays: number;
  /** The smoothed score of the last day that had one. */
  previous: number | null;
}

export type Verdict = 'scale' | 'watch' | 'fix' | 'not_enough_data';

export interface DailyScore {
  verdict: Verdict;
  raw: number | null;
  score: number | null;
  /** 0…100, 50 being unchanged. */
  health: number | null;
  reasons: string[];
  evidence: {
    roas_change: number | null;
    cpa_change: number | null;
    cvr_change: number | null;
    ctr_change: number | null;
    frequency: number | null;
    signal_quality: number;
    conversions: number | null;
  };
}

const WEIGHTS = { roas: 0.45, cpa: -0.25, cvr: 0.2, ctr: 0.1 } as const;
const SMOOTHING = 0.4;
const SCALE_FROM = 0.25;
const MIN_IMPRESSIONS = 1_000;
const MIN_BASELINE_DAYS = 3;
const BASELINE_DAYS = 7;
/** Reasons that lower the confidence in a score, with their weights. */
const TIRED = { frequency: 3, loss: 0.25 } as const;
const BLURRED = { quality: 0.75, loss: 0.2 } as const;
const THIN = { conversions: 10, loss: 0.15 } as const;
/** With fewer, both seen and expected, chance alone would scale or fix a campaign on every third day. */
const MIN_CONVERSIONS = 5;

/**
 * 0.45·ΔROAS − 0.25·ΔCPA + 0.20·ΔCVR + 0.10·ΔCTR, each change clamped to ±1, reduced where it is to be trusted less, and smoothed
 * 0.4 to 0.6 with the score before. A change that cannot be known adds nothing. Signal quality is the share of the baseline's days
 * that have figures: it is measured, so a campaign with gaps cannot pass for a certain one.
 */
export function dailyScoreOf({ day, baseline, baselineDays, previous }: ScoreInput): DailyScore {
  const changes = {
    roas: change(day, baseline, ({ revenue, spend }) => ratio(revenue, spend)),
    cpa: cpaChange(day, baseline),
    cvr: change(day, baseline, ({ conversions, clicks }) => ratio(conversions, clicks)),
    ctr: change(day, baseline, ({ clicks, impressions }) => ratio(clicks, impressions)),
  };
  const frequency = ratio(day.impressions, day.reach);
  const signalQuality = baselineDays / BASELINE_DAYS;
  const evidence = {
    roas_change: changes.roas,
    cpa_change: changes.cpa,
    cvr_change: changes.cvr,
    ctr_change: changes.ctr,
    frequency,
    signal_quality: signalQuality,
    conversions: day.conversions,
  };
  const reason = missingData(day, baseline, baselineDays);
  if (reason !== undefined) {
    return { verdict: 'not_enough_data', raw: null, score: null, health: null, reasons: [reason], evidence };
  }
  let raw =
    WEIGHTS.roas * (changes.roas ?? 0) +
    WEIGHTS.cpa * (changes.cpa ?? 0) +
    WEIGHTS.cvr * (changes.cvr ?? 0) +
    WEIGHTS.ctr * (changes.ctr ?? 0);
  const reasons = [
    ...words('return on ad spend', changes.roas),
    ...words('cost per conversion', changes.cpa),
    ...words('conversion rate', changes.cvr),
    ...words('click rate', changes.ctr),
  ];
  if (frequency !== null && frequency > TIRED.frequency) {
    raw *= 1 - TIRED.loss;
    reasons.push(`people see it ${frequency.toFixed(1)} times a day`);
  }
  if (signalQuality < BLURRED.quality) {
    raw *= 1 - BLURRED.loss;
    reasons.push(`figures of ${BASELINE_DAYS - baselineDays} of ${BASELINE_DAYS} days are missing`);
  }
  if (day.conversions !== null && day.conversions < THIN.conversions) {
    raw *= 1 - THIN.loss;
    reasons.push(`only ${day.conversions} conversions`);
  }
  const score = previous === null ? raw : SMOOTHING * raw + (1 - SMOOTHING) * previous;
  return { verdict: verdictOf(score), raw, score, health: Math.round(50 + 50 * score), reasons, evidence };
}

/** What there is too little of; `undefined`: nothing. */
function missingData(day: CampaignDay, baseline: CampaignDay, baselineDays: number): string | undefined {
  if (day.impressions < MIN_IMPRESSIONS)
    return `only ${day.impressions} impressions, ${MIN_IMPRESSIONS} are needed`;
  if (baselineDays < MIN_BASELINE_DAYS)
    return `only ${baselineDays} days to compare with, ${MIN_BASELINE_DAYS} are needed`;
  if (day.conversions === null || baseline.conversions === null) return 'its conversions are not known';
  const expected = day.spend * (ratio(baseline.conversions, baseline.spend) ?? 0);
  if (Math.max(day.conversions, expected) < MIN_CONVERSIONS)
    return `only ${day.conversions} conversions where ${expected.toFixed(1)} were to be expected, ${MIN_CONVERSIONS} are needed`;
  return undefined;
}

/** Money for no conversion at all is the highest cost per conversion that there is. */
function cpaChange(day: CampaignDay, baseline: CampaignDay): number | null {
  const before = ratio(baseline.spend, baseline.conversions);
  if (before !== null && day.conversions === 0 && day.spend > 0) return 1;
  return change(day, baseline, ({ spend, conversions }) => ratio(spend, conversions));
}

function verdictOf(score: number): Verdict {
  if (score >= SCALE_FROM) return 'scale';
  return score <= -SCALE_FROM ? 'fix' : 'watch';
}

function change(
  day: CampaignDay,
  baseline: CampaignDay,
  rate: (period: CampaignDay) => number | null,
): number | null {
  const relative = relativeChange(rate(day), rate(baseline));
  return relative === null ? null : clamp(relative, -1, 1);
}

/** Changes of less are not worth a word. */
const WORTH_TELLING = 0.05;

function words(what: string, by: number | null): string[] {
  if (by === null || Math.abs(by) < WORTH_TELLING) return [];
  return [
    `${what} is ${Math.round(Math.abs(by) * 100)} % ${by > 0 ? 'higher' : 'lower'} than in the week before`,
  ];
}
