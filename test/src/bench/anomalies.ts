/** How often quiet tenants are alarmed, and how often a day that is odd is found: on simulated campaigns whose truth is known. */
import { controlled, suspected, testsOfLastDay } from '@stratum/ml-worker';
import { normal, poisson, randomFrom, type Chance } from './chance.js';

export interface AnomalyFigures {
  /** The share of runs of a tenant of 20 campaigns, none of them odd, with at least one alert. */
  quietRuns: Record<string, number>;
  /** The share of days with spend and no conversion that are found, by expected conversions. */
  withoutConversion: Record<string, number>;
  /** The share of days with twice, or 40 % of, the usual spend that give an alert. */
  oddSpend: number;
}

const CAMPAIGNS = 20;
const DAYS = 90;
const FIRST_TESTED = 60;
const TENANTS = 30;
const PLANTED = 200;
const WEEK = [0.86, 1.04, 1.06, 1.05, 1.03, 1.08, 0.88];
const COST = 100;

interface Campaign {
  /** Conversions for a usual day's spend. */
  rate: number;
  spend: number[];
  conversions: number[];
  revenue: number[];
}

/** How the usual spend moves: it is multiplied by this each day. */
const COURSES: Readonly<Record<string, (chance: Chance) => number>> = {
  steady: () => 1,
  'drift of 1.5 % a day': (chance) => Math.exp(0.015 * normal(chance)),
  'trend of 1 % a day': () => 1.01,
};

function campaignOf(chance: Chance, course: (chance: Chance) => number): Campaign {
  const rate = 0.7 * 80 ** chance();
  let usual = COST;
  const campaign: Campaign = { rate, spend: [], conversions: [], revenue: [] };
  for (let day = 0; day < DAYS; day++) {
    usual *= course(chance);
    const spend = usual * (WEEK[day % 7] ?? 1) * Math.exp(0.12 * normal(chance));
    const conversions = poisson(((rate * spend) / COST) * Math.exp(0.08 * normal(chance)), chance);
    campaign.spend.push(spend);
    campaign.conversions.push(conversions);
    const orders = Array.from({ length: conversions }, () => -50 * Math.log(1 - chance()));
    campaign.revenue.push(orders.reduce((a, b) => a + b, 0));
  }
  return campaign;
}

function testsOf(campaigns: readonly Campaign[], day: number) {
  return campaigns.flatMap(({ spend, conversions, revenue }, index) => {
    const history = [spend, conversions, revenue].map((values) => values.slice(0, day + 1));
    const [spendDays = [], conversionDays = [], revenueDays = []] = history;
    return testsOfLastDay({ spend: spendDays, conversions: conversionDays, revenue: revenueDays }).map(
      (test) => ({
        ...test,
        index,
      }),
    );
  });
}

const tenantOf = (chance: Chance, course: (chance: Chance) => number): Campaign[] =>
  Array.from({ length: CAMPAIGNS }, () => campaignOf(chance, course));

export function benchAnomalies(): AnomalyFigures {
  const quietRuns: Record<string, number> = {};
  for (const [name, course] of Object.entries(COURSES)) {
    let runs = 0;
    let alarmed = 0;
    for (let tenant = 0; tenant < TENANTS; tenant++) {
      const campaigns = tenantOf(randomFrom(`${name}/${tenant}`), course);
      for (let day = FIRST_TESTED; day < DAYS; day += 2) {
        runs++;
        if (controlled(testsOf(campaigns, day)).length > 0) alarmed++;
      }
    }
    quietRuns[name] = alarmed / runs;
  }
  return { quietRuns, withoutConversion: daysWithoutConversion(), oddSpend: daysOfOddSpend() };
}

const BANDS = [2, 5, 10, 30, Infinity];

function daysWithoutConversion(): Record<string, number> {
  const bands = new Map(BANDS.map((band) => [band, { found: 0, planted: 0 }]));
  const all = { found: 0, planted: 0 };
  for (let index = 0; index < PLANTED; index++) {
    const campaigns = tenantOf(randomFrom(`without/${index}`), () => 1);
    const [planted] = campaigns;
    const day = FIRST_TESTED + (index % (DAYS - FIRST_TESTED));
    if (planted === undefined) continue;
    planted.conversions[day] = 0;
    planted.revenue[day] = 0;
    const tests = testsOf(campaigns, day);
    const found = [...controlled(tests), ...suspected(tests)].some(
      (test) => test.index === 0 && test.metric === 'cpa',
    );
    const band = bands.get(BANDS.find((most) => planted.rate < most) ?? Infinity);
    for (const count of [all, band]) {
      if (count === undefined) continue;
      count.planted++;
      if (found) count.found++;
    }
  }
  return Object.fromEntries(
    [...bands, ['all', all] as const].map(([band, { found, planted }]) => [
      typeof band === 'string' ? band : band === Infinity ? 'more' : `below ${band}`,
      planted === 0 ? 0 : found / planted,
    ]),
  );
}

function daysOfOddSpend(): number {
  let found = 0;
  for (let index = 0; index < PLANTED; index++) {
    const campaigns = tenantOf(randomFrom(`spend/${index}`), () => 1);
    const [planted] = campaigns;
    const day = FIRST_TESTED + (index % (DAYS - FIRST_TESTED));
    if (planted === undefined) continue;
    const factor = index % 2 === 0 ? 2 : 0.4;
    for (const values of [planted.spend, planted.conversions, planted.revenue])
      values[day] = Math.round((values[day] ?? 0) * factor);
    if (controlled(testsOf(campaigns, day)).some((test) => test.index === 0 && test.metric === 'spend'))
      found++;
  }
  return found / PLANTED;
}
