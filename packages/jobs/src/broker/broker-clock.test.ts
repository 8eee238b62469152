import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BrokerClock } from './broker-clock.js';

/** A message that is sent, stamped and confirmed, each so many milliseconds after the moment before. */
const exchange = fc.record({
  pause: fc.double({ min: 0, max: 5_000, noNaN: true }),
  before: fc.double({ min: 0, max: 200, noNaN: true }),
  after: fc.double({ min: 0, max: 200, noNaN: true }),
});

describe('the clock of the broker', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Corrects it by an exchange with a broker whose clock differs from the monotonic one by `offset`. */
  const exchangeWith = (
    clock: BrokerClock,
    offset: number,
    { pause, before, after }: { pause: number; before: number; after: number },
  ): void => {
    vi.advanceTimersByTime(pause);
    const sentAt = performance.now();
    vi.advanceTimersByTime(before);
    const stamped = Math.floor(performance.now() + offset);
    vi.advanceTimersByTime(after);
    clock.correct(sentAt, performance.now(), stamped);
  };
  const brokerAt = (offset: number): number => performance.now() + offset;

  test('has the time of the broker within its bounds, which are as exact as the quickest confirmation and publish', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -3_600_000, max: 4_000_000_000_000 }),
        fc.array(exchange, { minLength: 1, maxLength: 10 }),
        (offset, exchanges) => {
          const clock = new BrokerClock();
          for (const each of exchanges) {
            exchangeWith(clock, offset, each);
            expect(clock.now()).toBeLessThanOrEqual(brokerAt(offset) + 0.01);
            expect(clock.latest()).toBeGreaterThanOrEqual(brokerAt(offset) - 0.01);
          }
          const soonest = Math.min(...exchanges.map(({ before }) => before));
          expect(clock.latest() - brokerAt(offset)).toBeLessThanOrEqual(soonest + 2);
          const quickest = Math.min(...exchanges.map(({ after }) => after));
          expect(brokerAt(offset) - clock.now()).toBeLessThanOrEqual(quickest + 2);
        },
      ),
    );
  });

  test('follows a broker whose clock is set, forwards and backwards', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -3_600_000, max: 3_600_000 }).filter((by) => Math.abs(by) > 1_000),
        exchange,
        exchange,
        (by, first, second) => {
          const clock = new BrokerClock();
          exchangeWith(clock, 1_000_000, first);
          exchangeWith(clock, 1_000_000 + by, second);
          expect(clock.now()).toBeLessThanOrEqual(brokerAt(1_000_000 + by) + 0.01);
          expect(brokerAt(1_000_000 + by) - clock.now()).toBeLessThanOrEqual(second.after + 2);
          expect(clock.latest()).toBeGreaterThanOrEqual(brokerAt(1_000_000 + by) - 0.01);
          expect(clock.latest() - brokerAt(1_000_000 + by)).toBeLessThanOrEqual(second.before + 2);
        },
      ),
    );
  });

  test('takes the stamps of received messages as bounds, unless they are from far ahead', () => {
    fc.assert(
      fc.property(exchange, fc.double({ min: 0, max: 400, noNaN: true }), (first, delay) => {
        const clock = new BrokerClock();
        exchangeWith(clock, 1_000_000, first);
        const stamped = Math.floor(brokerAt(1_000_000));
        vi.advanceTimersByTime(delay);
        clock.reached(stamped);
        expect(clock.now()).toBeLessThanOrEqual(brokerAt(1_000_000) + 0.01);
        expect(brokerAt(1_000_000) - clock.now()).toBeLessThanOrEqual(delay + 2);
        clock.reached(brokerAt(1_000_000) + 60_000);
        expect(clock.now()).toBeLessThanOrEqual(brokerAt(1_000_000) + 0.01);
      }),
    );
  });

  test('gives a bound up after a minute, because clocks drift', () => {
    const clock = new BrokerClock();
    exchangeWith(clock, 1_000_000, { pause: 0, before: 0, after: 0 });
    exchangeWith(clock, 999_950, { pause: 60_000, before: 100, after: 10 });
    expect(brokerAt(999_950) - clock.now()).toBeGreaterThanOrEqual(0);
  });
});
