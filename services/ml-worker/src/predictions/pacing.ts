/** Where a campaign's spend ends this month, beside the budget of the days on which it could spend. */
import { changeDays, isStopped, onPresentTerms } from '../campaign-changes.js';
import { forecastSeries, pausedSeries, type SeriesForecast } from '../forecast/forecast-series.js';
import type { CampaignHistory } from '../history.js';
import { studentQuantile, studentWithin } from '../statistics/student.js';

interface Pacing {
  spent: number;
  end: number;
  lower: number;
  upper: number;
  /** `null`: no daily budget on some day of the month. */
  budget: number | null;
  /** The probability of spending less than 90 % of the budget. */
  missProbability: number | null;
}

/** A campaign misses its month when it spends less than this share of its budget. */
const FULL_DELIVERY = 0.9;
/** What has never moved is not certain to stay as it is. */
const LEAST_SPREAD = 0.01;

export function pacingOf(campaign: CampaignHistory, at: Date): Pacing {
  const days = daysOfMonth(at);
  const month = monthOf(at);
  const spent = campaign.spend.reduce(
    (sum, value, day) => (campaign.dates[day]?.startsWith(month) ? sum + value : sum),
    0,
  );
  // Days that nobody has synced are forecast, too, as far as they lie in this month.
  const ahead = days.length - at.getUTCDate() + 1 + campaign.unknownDays;
  const forecast = isStopped(campaign.status)
    ? pausedSeries(ahead)
    : forecastSeries(onPresentTerms(campaign, campaign.changes).spend, ahead);
  const { mean, sigma, degrees } = sumOfDays(forecast, Math.min(ahead, days.length));
  const end = spent + mean;
  const reach = studentQuantile(0.95, degrees) * sigma;
  const budget = monthBudget(campaign, days);
  return {
    spent,
    end,
    lower: Math.max(spent, end - reach),
    upper: end + reach,
    budget,
    missProbability: budget === null ? null : below(FULL_DELIVERY * budget, { end, sigma, degrees }),
  };
}

/** What its days begin with: `2026-11-`. */
function monthOf(at: Date): string {
  return at.toISOString().slice(0, 8);
}

function daysOfMonth(at: Date): string[] {
  const month = monthOf(at);
  const count = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 0)).getUTCDate();
  return Array.from({ length: count }, (_, day) => `${month}${String(day + 1).padStart(2, '0')}`);
}

/** Each day's own budget: none before the launch or while the campaign is paused, and the one of that time before a change. */
export function monthBudget(
  { changes, dailyBudget, startedOn, status, dates }: CampaignHistory,
  days: readonly string[],
): number | null {
  const course = changeDays(changes);
  // Without a known start, the first figures of the month are the start, if none lie before.
  const first = [startedOn ?? dates[0] ?? '', dates[0] ?? ''].toSorted()[0] ?? '';
  let total = 0;
  for (const date of days) {
    if (date < first) continue;
    const past = course.findLast((change) => change.date <= date);
    const next = course.find((change) => change.date > date);
    // On the day of a pause the campaign ran, on the day it is resumed it runs.
    const wasStopped =
      past === undefined
        ? isStopped(next?.statusBefore ?? status)
        : isStopped(past.statusAfter) && (past.date < date || isStopped(past.statusBefore));
    if (wasStopped) continue;
    const budget =
      past === undefined ? (next === undefined ? dailyBudget : next.budgetBefore) : past.budgetAfter;
    if (budget === null) return null;
    total += budget;
  }
  return total;
}

interface Sum {
  mean: number;
  sigma: number;
  /** Of Student's distribution: the number of independent past sums that show the spread. */
  degrees: number;
}

/** The spread of a sum comes from sums on the past: days that are off are mostly off in the same direction. */
function sumOfDays({ days: all, errors }: SeriesForecast, last: number): Sum {
  const days = all.slice(-last);
  const mean = days.reduce((sum, day) => sum + day.mean, 0);
  const least = LEAST_SPREAD * mean;
  const tested = Math.min(days.length, errors[0]?.length ?? 0);
  if (tested === 0) {
    const sigmas = days.map(({ mean: middle, upper95 }) => (upper95 - middle) / AT_95);
    const independent = sigmas.reduce((sum, each) => sum + each * each, 0);
    const together = sigmas.reduce((sum, each) => sum + each, 0) ** 2;
    return {
      mean,
      sigma: Math.max(least, Math.sqrt((1 - COMMON) * independent + COMMON * together)),
      degrees: SHORT_DEGREES,
    };
  }
  const sums = errors.map((row) => row.slice(0, tested).reduce((a, b) => a + b, 0));
  const spread = Math.sqrt(sums.reduce((total, each) => total + each * each, 0) / sums.length);
  return {
    mean,
    sigma: Math.max(least, spread * (days.length / tested)),
    degrees: Math.max(2, Math.floor(INDEPENDENT * sums.length)),
  };
}

/** The past sums overlap: they count as this share of independent ones. */
const INDEPENDENT = 0.75;
const AT_95 = 1.96;
/** Where nothing could be tested: the correlation of the days' errors. */
const COMMON = 0.1;
const SHORT_DEGREES = 8;

function below(
  target: number,
  { end, sigma, degrees }: { end: number; sigma: number; degrees: number },
): number {
  if (sigma === 0) return end < target ? 1 : 0;
  const t = (target - end) / sigma;
  const tail = (1 - studentWithin(t, degrees)) / 2;
  return t > 0 ? 1 - tail : tail;
}
