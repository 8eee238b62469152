/** A bounded part of the comparison with another library; `npm run test:cron` is the long form. */
import { cadenceOf } from '@stratum/jobs/internal';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clockChanges, compareTicks } from './compare-ticks.js';

const ZONES = Intl.supportedValuesOf('timeZone');
const YEARS = Array.from({ length: 21 }, (_, index) => 2020 + index);
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;

test('in every time zone, in both seasons and when clocks change, ticks are those of an independent library', () => {
  let turn = Math.floor(Math.random() * 1_000);
  const next = <Value>(list: readonly Value[]): Value[] => list.slice(turn++ % list.length).slice(0, 1);
  let compared = 0;
  for (const zone of ZONES) {
    const comparison = compareTicks({
      zones: [zone],
      years: next(YEARS),
      select: next,
      aroundMs: 6 * HOUR_MS,
    });
    expect(comparison.differences).toEqual([]);
    compared += comparison.compared;
  }
  expect(compared).toBeGreaterThan(ZONES.length);
});

interface Clock {
  minuteOfDay: number;
  at: number;
}

/** What the clock on the wall shows, minute by minute. */
function clockOf(zone: string, from: number, to: number): Clock[] {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hourCycle: 'h23',
    hour: 'numeric',
    minute: 'numeric',
  });
  const shown: Clock[] = [];
  for (let at = from; at <= to; at += MINUTE_MS) {
    const parts = format.formatToParts(at);
    const of = (wanted: string): number => Number(parts.find(({ type }) => type === wanted)?.value);
    shown.push({ minuteOfDay: of('hour') * 60 + of('minute'), at });
  }
  return shown;
}

function minutesFrom(one: number, other: number): number {
  return (other - one + DAY_MINUTES) % DAY_MINUTES;
}

function ticksWithin(cron: string, zone: string, from: number, to: number): number[] {
  const cadence = cadenceOf({ name: 'entry', cron, time_zone: zone });
  const ticks: number[] = [];
  for (let tick = cadence.next(from); tick <= to; tick = cadence.next(tick)) ticks.push(tick);
  return ticks;
}

const CHANGING = [
  'America/New_York',
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'America/Havana',
  'Asia/Beirut',
];

test.each(CHANGING)(
  'in a night when clocks change in %s, a fixed time runs once and a wild-card hour follows the clock',
  (zone) => {
    for (const change of clockChanges(zone, 2027)) {
      const [from, to] = [change - 6 * HOUR_MS, change + 8 * HOUR_MS];
      const clock = clockOf(zone, from, to);
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), (hour, minute) => {
          const wanted = hour * 60 + minute;
          const shown = clock.filter(({ minuteOfDay, at }) => minuteOfDay === wanted && at > from);
          // A time that the clock skips is due when it has been put forward.
          const skipped = clock.find(({ minuteOfDay }, index) => {
            const before = clock[index - 1]?.minuteOfDay ?? minuteOfDay;
            const step = minutesFrom(before, minuteOfDay);
            return step < DAY_MINUTES / 2 && minutesFrom(before, wanted) < step && wanted !== before;
          });
          const once = shown.length === 0 ? skipped : shown[0];
          const fixed = ticksWithin(`${minute} ${hour} * * *`, zone, from, to);
          expect(fixed).toEqual(once === undefined ? [] : [once.at]);
          const everyHour = clock.filter(({ minuteOfDay, at }) => minuteOfDay % 60 === minute && at > from);
          expect(ticksWithin(`${minute} * * * *`, zone, from, to)).toEqual(everyHour.map(({ at }) => at));
        }),
      );
    }
  },
);

test('the next tick is always later, and its own text leads to the one after it', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1_000, max: 1e9, noNaN: true }),
      fc.integer({ min: 0, max: Date.UTC(2190, 0, 1) }),
      (everyMs, since) => {
        const cadence = cadenceOf({ name: 'entry', every_ms: everyMs, time_zone: 'UTC' });
        const tick = cadence.next(since);
        expect(tick).toBeGreaterThan(since);
        expect(Date.parse(new Date(tick).toISOString())).toBe(tick);
        expect(cadence.next(tick) - tick).toBeGreaterThan(everyMs - 2);
      },
    ),
  );
});

test.each(['0 0 29 2 *', '0 0 1 1 *', '59 59 23 31 12 *'])(
  '%s has a next time from any day on',
  (expression) => {
    const cadence = cadenceOf({ name: 'entry', cron: expression, time_zone: 'Pacific/Auckland' });
    // From 2096 to 2104 no year is a leap year.
    for (let year = 2026; year < 2110; year++) {
      const since = Date.UTC(year, 2, 1);
      expect(cadence.next(since)).toBeGreaterThan(since);
    }
  },
);
