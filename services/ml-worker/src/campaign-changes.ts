/** A campaign's figures on the terms that hold now: what was spent under other budgets is rescaled, days of a pause are filled. */

export interface CampaignChange {
  /** The account's local day of the change, YYYY-MM-DD. */
  date: string;
  statusBefore: string;
  statusAfter: string;
  budgetBefore: number | null;
  budgetAfter: number | null;
}

export interface Figures {
  dates: readonly string[];
  spend: readonly number[];
  /** `null` where the platform reports none, as conversions. */
  revenue: readonly number[] | null;
  conversions: readonly number[] | null;
}

const WEEK = 7;
/** Days on each side of a step that say how large it was. */
const BEFORE = 28;
const AFTER = 14;
/** The budget's change counts as this number of days of evidence. */
const BUDGET_DAYS = 2;
const RETURN_DAYS = 7;
/** Returns diminish: of 1 % more spend come about 0.7 % more revenue and conversions. */
const ELASTICITY = 0.7;
const STOPPED: ReadonlySet<string> = new Set(['paused', 'archived', 'removed']);
/** From the first share of its budget on, a campaign begins to be held back by it; from the second on, it is. */
const HELD_BACK = { from: 0.5, full: 0.8 } as const;

/**
 * For forecasts of the days to come. A known change of the budget says when the level changed, and how much is to be expected; the days
 * after it say how much it did. A day of a change is partly this and partly that, so it is filled like the days of a pause.
 */
export function onPresentTerms(figures: Figures, changes: readonly CampaignChange[]): Figures {
  if (changes.length === 0) return figures;
  const { dates } = figures;
  const days = changeDays(changes);
  const skipped = pausedDays(dates, days);
  const unskipped = (value: number, day: number): number => (skipped.has(day) ? NaN : value);
  let spend = figures.spend.map(unskipped);
  let conversions = figures.conversions?.map(unskipped) ?? null;
  let revenue = figures.revenue?.map(unskipped) ?? null;
  const steps = days.filter(
    ({ budgetBefore, budgetAfter }) => budgetBefore !== budgetAfter && budgetBefore && budgetAfter,
  );
  for (const [index, step] of steps.entries()) {
    const at = dates.findIndex((date) => date >= step.date);
    // It happened after the last figure: all of the history lies before it.
    const day = at === -1 ? dates.length : at;
    if (day === 0) continue;
    const nextDate = steps[index + 1]?.date;
    const next = nextDate === undefined ? -1 : dates.findIndex((date) => date >= nextDate);
    const until = Math.min(day + 1 + AFTER, next === -1 ? dates.length : next);
    const expected = expectedFactor(recentMean(spend, day), step.budgetBefore ?? 0, step.budgetAfter ?? 0);
    const range = { day, until };
    const factor = seenFactor(spend, range, expected, BUDGET_DAYS);
    const returns = factor ** ELASTICITY;
    const following = (values: number[] | null): number[] | null =>
      values === null ? null : rescaled(values, day, seenFactor(values, range, returns, RETURN_DAYS));
    spend = rescaled(spend, day, factor);
    conversions = following(conversions);
    revenue = following(revenue);
  }
  return {
    dates,
    spend: filled(spend, figures.spend),
    revenue: revenue === null ? null : filled(revenue, figures.revenue ?? []),
    conversions: conversions === null ? null : filled(conversions, figures.conversions ?? []),
  };
}

/** The changes of one day as one, in order. */
export function changeDays(changes: readonly CampaignChange[]): CampaignChange[] {
  const days = new Map<string, CampaignChange>();
  for (const change of changes.toSorted((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : 0))) {
    const first = days.get(change.date) ?? change;
    days.set(change.date, {
      ...change,
      statusBefore: first.statusBefore,
      budgetBefore: first.budgetBefore,
    });
  }
  return [...days.values()];
}

export function isStopped(status: string): boolean {
  return STOPPED.has(status);
}

/** Places of the days on which the campaign was paused, or changed. */
function pausedDays(dates: readonly string[], days: readonly CampaignChange[]): Set<number> {
  const places = new Set<number>();
  const changed = new Map(days.map((day) => [day.date, day]));
  let status = days[0]?.statusBefore ?? 'active';
  const firstDate = dates[0] ?? '';
  for (const { date, statusAfter } of days) if (date < firstDate) status = statusAfter;
  for (const [place, date] of dates.entries()) {
    const change = changed.get(date);
    if (change !== undefined) status = change.statusAfter;
    if (change !== undefined || isStopped(status)) places.add(place);
  }
  return places;
}

/** How spend is expected to follow its budget: in full where the budget holds it back, not at all where it does not. */
function expectedFactor(level: number, before: number, after: number): number {
  if (!(level > 0)) return after / before;
  const used = level / before;
  const held = Math.min(1, Math.max(0, (used - HELD_BACK.from) / (HELD_BACK.full - HELD_BACK.from)));
  const factor = (after / before) ** held;
  return after < before ? Math.min(factor, 1, Math.max(after / level, after / before)) : factor;
}

/** The step that is expected, corrected by the days since. */
function seenFactor(
  values: readonly number[],
  { day, until }: { day: number; until: number },
  expected: number,
  expectedDays: number,
): number {
  let seen = 0;
  let usual = 0;
  let count = 0;
  for (let place = day; place < until; place++) {
    const value = values[place] ?? NaN;
    const same = weekdayMean(values, place, { from: day - BEFORE, until: day });
    if (Number.isNaN(value) || Number.isNaN(same)) continue;
    seen += value;
    usual += same;
    count++;
  }
  if (seen <= 0 || usual <= 0) return expected;
  const weight = count / (count + expectedDays);
  return (seen / usual) ** weight * expected ** (1 - weight);
}

function rescaled(values: readonly number[], day: number, factor: number): number[] {
  return values.map((value, place) => (place < day ? value * factor : value));
}

function recentMean(values: readonly number[], day: number): number {
  return meanOfKnown(values.slice(Math.max(0, day - 2 * WEEK), day));
}

/** The mean of a weekday's known values; of all known ones where there are none. */
function weekdayMean(
  values: readonly number[],
  place: number,
  { from, until }: { from: number; until: number },
): number {
  const start = Math.max(0, from);
  const range = values.slice(start, until);
  const mean = meanOfKnown(range.filter((_value, index) => (place - start - index) % WEEK === 0));
  return Number.isNaN(mean) ? meanOfKnown(range) : mean;
}

function meanOfKnown(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.length === 0 ? NaN : known.reduce((a, b) => a + b, 0) / known.length;
}

/** Each unknown day from its weekday before; from the days after it where nothing lies before. */
function filled(values: readonly number[], raw: readonly number[]): number[] {
  return values.map((value, place) => {
    if (!Number.isNaN(value)) return value;
    const before = weekdayMean(values, place, { from: place - BEFORE, until: place });
    if (!Number.isNaN(before)) return before;
    const after = weekdayMean(values, place, { from: place, until: place + BEFORE });
    return Number.isNaN(after) ? (raw[place] ?? 0) : after;
  });
}
