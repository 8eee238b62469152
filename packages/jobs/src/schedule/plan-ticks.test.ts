import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cadenceOf } from './cadence.js';
import { jitterOf, MAX_SLICE, planTicks, type TickPlan, type TickPolicy } from './plan-ticks.js';

const MINUTE = 60_000;
const START = Date.parse('2026-03-01T00:00:00Z');
const everyMinutes = (minutes: number): ReturnType<typeof cadenceOf> =>
  cadenceOf({ name: 'e', every_ms: minutes * MINUTE, time_zone: 'UTC' });

const policies = fc.record({
  starting_deadline_ms: fc.integer({ min: 1_000, max: 30 * MINUTE }),
  catch_up: fc.constantFrom('skip', 'latest', 'all'),
  catch_up_window_ms: fc.integer({ min: 0, max: 600 * MINUTE }),
}) satisfies fc.Arbitrary<TickPolicy>;

/** All slices, as a scheduler plans them one after another. */
function planAll(
  cadence: ReturnType<typeof cadenceOf>,
  policy: TickPolicy,
  since: number,
  now: number,
): Pick<TickPlan, 'due' | 'missed' | 'last'> {
  let plan = planTicks(cadence, policy, since, now);
  const { missed } = plan;
  const due = [...plan.due];
  let { last } = plan;
  while (plan.last !== undefined) {
    expect(plan.due.length).toBeLessThanOrEqual(MAX_SLICE);
    plan = planTicks(cadence, policy, plan.last, now, plan.reachedFrom);
    expect(plan.missed).toBeUndefined();
    due.push(...plan.due);
    last = plan.last ?? last;
  }
  return { due, missed, last };
}

describe('ticks that have come', () => {
  test('follow the policy, and every tick is accounted for', () => {
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 0, max: 3_000 * MINUTE }),
        fc.integer({ min: 0, max: 40 * MINUTE }),
        (policy, minutes, elapsed, offset) => {
          const since = START + offset;
          const now = since + elapsed;
          const plan = planAll(everyMinutes(minutes), policy, since, now);
          const all: number[] = [];
          for (
            let tick = Math.floor(since / (minutes * MINUTE) + 1) * minutes * MINUTE;
            tick <= now;
            tick += minutes * MINUTE
          )
            all.push(tick);
          const age = (tick: number): number => now - tick;
          const onTime = all.filter((tick) => age(tick) <= policy.starting_deadline_ms);
          const inWindow = all.filter((tick) => age(tick) <= policy.catch_up_window_ms);
          const expected = {
            skip: onTime,
            latest: onTime.length > 0 ? onTime : inWindow.slice(-1),
            all: all.filter((tick) => onTime.includes(tick) || inWindow.includes(tick)),
          }[policy.catch_up];
          expect(plan.due).toEqual(expected);
          expect(plan.last).toBe(all.at(-1));
          const missed = all.filter((tick) => !expected.includes(tick));
          expect(plan.missed?.since).toBe(missed[0]);
          expect(plan.missed?.until).toBe(missed.at(-1));
          expect(plan.missed?.count ?? 0).toBe(Math.min(100, missed.length));
        },
      ),
    );
  });

  test('a year of absence of an entry that runs every second is settled at once', () => {
    const cadence = cadenceOf({ name: 'e', every_ms: 1_000, time_zone: 'UTC' });
    const policy = {
      starting_deadline_ms: MINUTE,
      catch_up: 'latest',
      catch_up_window_ms: 24 * 60 * MINUTE,
    } as const;
    const plan = planTicks(cadence, policy, START, START + 365 * 24 * 60 * MINUTE);
    expect(plan.due).toHaveLength(61);
    expect(plan.last).toBe(START + 365 * 24 * 60 * MINUTE);
  });

  test('ticks that were in reach when a catch-up began run, however long it takes', () => {
    const cadence = cadenceOf({ name: 'e', every_ms: 1_000, time_zone: 'UTC' });
    const policy = { starting_deadline_ms: 1_000, catch_up: 'all', catch_up_window_ms: 10 * MINUTE } as const;
    const first = planTicks(cadence, policy, START, START + 60 * MINUTE);
    expect(first.due[0]).toBe(START + 50 * MINUTE);
    const [last] = first.due.slice(-1);
    const later = START + 75 * MINUTE;
    const second = planTicks(cadence, policy, last ?? 0, later, first.reachedFrom);
    expect(second.missed).toBeUndefined();
    expect(second.due[0]).toBe((last ?? 0) + 1_000);
  });
});

test('jitter stays inside its bound and is the same for the same tick', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer(), fc.integer({ min: 1, max: 100_000 }), (entry, tick, bound) => {
      const jitter = jitterOf(entry, tick, bound);
      expect(jitter).toBeGreaterThanOrEqual(0);
      expect(jitter).toBeLessThan(bound);
      expect(jitterOf(entry, tick, bound)).toBe(jitter);
    }),
  );
});
