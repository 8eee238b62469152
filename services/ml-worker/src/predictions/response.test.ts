/** Response curves of campaigns whose truth is known. */
import { expect, test } from 'vitest';
import { bestBudgets, fitResponses, roasAt, type CampaignDays } from './response.js';

type Chance = () => number;

/** The same numbers in every run (mulberry32). */
function chanceFrom(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const normal = (chance: Chance): number =>
  Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());

function poisson(rate: number, chance: Chance): number {
  let count = 0;
  for (let product = chance(); product > Math.exp(-rate); product *= chance()) count++;
  return count;
}

interface Truth {
  scale: number;
  elasticity: number;
}

/** Ninety days of spend about `level`, and revenue around the truth. */
function campaignOf(
  campaignId: number,
  { scale, elasticity }: Truth,
  chance: Chance,
  { level, revenueOf, moves = 0.35 }: { level: number; revenueOf: (mean: number) => number; moves?: number },
): CampaignDays {
  const spend = Array.from({ length: 90 }, () => level * Math.exp(moves * normal(chance)));
  return { campaignId, spend, revenue: spend.map((value) => revenueOf(scale * value ** elasticity)) };
}

const noisy = (sd: number, chance: Chance) => (mean: number) =>
  mean * Math.exp(sd * normal(chance) - (sd * sd) / 2);
/** Orders of one size each. */
const orders = (size: number) => (chance: Chance) => (mean: number) => size * poisson(mean / size, chance);

interface Market {
  roas: number;
  noise: (chance: Chance) => (mean: number) => number;
  /** Standard deviation of the logarithm of a day's spend. */
  moves?: number;
}

test.each<[string, Market]>([
  ['little noise', { roas: 4, noise: (chance) => noisy(0.2, chance) }],
  ['much noise', { roas: 4, noise: (chance) => noisy(0.6, chance) }],
  ['more noise than signal', { roas: 4, noise: (chance) => noisy(1, chance) }],
  [
    'more noise than signal, and a spend that hardly moves',
    { roas: 4, noise: (chance) => noisy(1, chance), moves: 0.15 },
  ],
  ['few orders, many days without revenue', { roas: 0.8, noise: orders(50) }],
  ['few orders, and a spend that hardly moves', { roas: 0.8, noise: orders(50), moves: 0.15 }],
  ['very few and large orders', { roas: 0.8, noise: orders(200) }],
])('with %s the return at the present budget has no bias, and a shift seldom harms', (_name, market) => {
  const { roas, noise, moves = 0.35 } = market;
  let [told, real, harmful, runs] = [0, 0, 0, 0];
  for (let run = 0; run < 160; run++) {
    const chance = chanceFrom(run + 1);
    const truths = Array.from({ length: 8 }, () => {
      const [level, elasticity] = [40 + 80 * chance(), 0.4 + 0.4 * chance()];
      return { level, elasticity, scale: (roas * (0.6 + 0.8 * chance()) * level) / level ** elasticity };
    });
    const curves = fitResponses(
      truths.map((truth, id) =>
        campaignOf(id, truth, chance, { level: truth.level, revenueOf: noise(chance), moves }),
      ),
    );
    const budgets = bestBudgets(curves);
    let [before, after] = [0, 0];
    for (const curve of curves) {
      const truth = truths[curve.campaignId];
      if (truth === undefined) continue;
      told += roasAt(curve, curve.current) * curve.current;
      const revenueAt = (spend: number): number => truth.scale * spend ** truth.elasticity;
      real += revenueAt(curve.current);
      before += revenueAt(curve.current);
      after += revenueAt(budgets.get(curve.campaignId) ?? curve.current);
    }
    if (after < before) harmful++;
    runs++;
  }
  expect(Math.abs(told / real - 1)).toBeLessThan(0.02 + 0.01);
  expect(harmful / runs).toBeLessThanOrEqual(0.15);
});

test('revenue that follows a power of spend gives that power', () => {
  const spend = Array.from({ length: 30 }, (_, day) => 50 + 10 * (day % 10));
  const curve = (elasticity: number) => ({
    campaignId: 1,
    spend,
    revenue: spend.map((value) => 10 * value ** elasticity),
  });
  expect(fitResponses([curve(0.5)])[0]?.elasticity).toBeCloseTo(0.5, 3);
  expect(fitResponses([curve(0.8)])[0]?.scale).toBeCloseTo(10, 1);
});

test('campaigns without enough days, without revenue or of one spend alone have no curve', () => {
  const spend = Array.from({ length: 30 }, (_, day) => 50 + day);
  expect(fitResponses([{ campaignId: 1, spend: spend.slice(0, 13), revenue: spend.slice(0, 13) }])).toEqual(
    [],
  );
  expect(fitResponses([{ campaignId: 1, spend, revenue: null }])).toEqual([]);
  expect(fitResponses([{ campaignId: 1, spend, revenue: spend.map(() => 0) }])).toEqual([]);
  const same = spend.map(() => 50);
  expect(fitResponses([{ campaignId: 1, spend: same, revenue: spend }])).toEqual([]);
});

test('one precise campaign does not decide for five vague ones', () => {
  const chance = chanceFrom(7);
  const precise = campaignOf(0, { scale: 200, elasticity: 0.2 }, chance, {
    level: 100,
    revenueOf: (mean) => mean,
  });
  const vague = [1, 2, 3, 4, 5].map((id) =>
    campaignOf(id, { scale: 10, elasticity: 0.8 }, chance, { level: 100, revenueOf: noisy(0.6, chance) }),
  );
  const [first, ...others] = fitResponses([precise, ...vague]);
  expect(first?.elasticity).toBeCloseTo(0.2, 2);
  expect(others.reduce((total, { elasticity }) => total + elasticity, 0) / 5).toBeGreaterThan(0.6);
});
