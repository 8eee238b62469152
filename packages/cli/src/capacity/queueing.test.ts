import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exponential, meanWaitMs, randomFrom, utilisation, waitProbability, waitsMs } from './queueing.js';
import { simulate } from './simulate.js';

describe('Erlang C', () => {
  // Of one server it is the utilisation; the others are from the formula with factorials, worked out by hand.
  test.each([
    [1, 0.5, 0.5],
    [1, 0.9, 0.9],
    [2, 1, 1 / 3],
    [3, 2, 4 / 9],
  ])('%i servers, load %d: an arrival waits with probability %d', (servers, load, probability) => {
    expect(waitProbability(servers, load)).toBeCloseTo(probability, 12);
  });

  test('is a probability, grows with the load and falls with each server', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0.001, max: 0.999, noNaN: true }),
        (servers, share) => {
          const load = servers * share;
          const probability = waitProbability(servers, load);
          expect(probability).toBeGreaterThanOrEqual(0);
          expect(probability).toBeLessThanOrEqual(1);
          expect(waitProbability(servers, load * 1.01)).toBeGreaterThanOrEqual(probability);
          expect(waitProbability(servers + 1, load)).toBeLessThanOrEqual(probability);
        },
      ),
    );
  });
});

describe('the simulation', () => {
  test.each([
    [1, 0.5],
    [4, 0.7],
    [4, 0.8],
    [32, 0.9],
  ])('%i servers, used to %d: the mean wait is that of Erlang C within a tenth', (servers, share) => {
    const random = randomFrom(servers);
    const serviceMs = 40;
    const perSecond = (servers * share * 1_000) / serviceMs;
    let clock = 0;
    const arrivals = Array.from({ length: 600_000 }, () => ({
      atMs: (clock += exponential(1_000 / perSecond, random)),
      serviceMs: exponential(serviceMs, random),
    }));
    const waits = waitsMs(servers, arrivals);
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    const station = { servers, serviceMs };
    expect(utilisation(station, perSecond)).toBeCloseTo(share, 9);
    const expected = meanWaitMs(station, perSecond);
    expect(Math.abs(mean - expected) / expected).toBeLessThan(0.1);
  });

  test('shows the bottleneck: its queue grows, and the ones behind it stay short', () => {
    const stations = [
      { name: 'wide', servers: 8, serviceMs: 4 },
      { name: 'narrow', servers: 1, serviceMs: 1.25 },
      { name: 'behind', servers: 1, serviceMs: 1 },
    ];
    const { stations: results } = simulate(stations, 1_000, { tasks: 20_000, seed: 1 });
    const [wide, narrow, behind] = results;
    expect(narrow?.utilisation).toBeCloseTo(1.25, 9);
    expect(narrow?.lastWaitMs).toBeGreaterThan(3_000);
    expect(wide?.lastWaitMs).toBeLessThan(20);
    expect(behind?.lastWaitMs).toBeLessThan(50);
    expect(meanWaitMs({ servers: 1, serviceMs: 1.25 }, 1_000)).toBe(Infinity);
  });
});
