import type { JSX } from 'preact';
import { exact } from '../format.js';
import type { EntryTicks, PastTick, ScheduleEntry } from '@stratum/dashboard/answers';

const WIDTH = 320;
const HEIGHT = 26;
const MIDDLE = HEIGHT / 2;
const RADIUS = 4;
const HOUR_MS = 3_600_000;

export interface LaneProps {
  entry: ScheduleEntry;
  ticks: EntryTicks;
  /** By the clock of the leading scheduler. */
  now: number;
  /** Hours drawn before and after now. */
  hours: number;
}

/** Ticks of an entry around now: runs are filled, expected ones are hollow, missed ones are hatched. */
export function Lane({ entry, ticks, now, hours }: LaneProps): JSX.Element {
  const from = now - hours * HOUR_MS;
  const until = now + hours * HOUR_MS;
  const x = (at: string | number): number => {
    const time = typeof at === 'number' ? at : Date.parse(at);
    return ((Math.min(Math.max(time, from), until) - from) / (until - from)) * WIDTH;
  };
  const past = ticks.past.filter(({ tick }) => Date.parse(tick) >= from);
  const upcoming = ticks.upcoming.filter((tick) => Date.parse(tick) <= until);
  const missed = entry.last_missed;
  return (
    <svg class="lane" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={summary(past, upcoming)}>
      <line class="grid" x1="0" x2={WIDTH} y1={MIDDLE} y2={MIDDLE} />
      {missed !== null && Date.parse(missed.until) >= from && (
        <rect
          class="missed"
          x={x(missed.since)}
          y={MIDDLE - 7}
          width={Math.max(3, x(missed.until) - x(missed.since))}
          height="14"
        >
          <title>{`Missed: ${REASONS[missed.reason]}, ${exact(missed.since)}`}</title>
        </rect>
      )}
      {upcoming.map((tick) => (
        <circle key={tick} class="expected" cx={x(tick)} cy={MIDDLE} r={RADIUS}>
          <title>{exact(tick)}</title>
        </circle>
      ))}
      {past.map(({ id, tick, state }) => (
        <circle key={id} class={`ran ran-${state.toLowerCase()}`} cx={x(tick)} cy={MIDDLE} r={RADIUS}>
          <title>{`${state.toLowerCase()}, ${exact(tick)}`}</title>
        </circle>
      ))}
      <line class="cursor" x1={x(now)} x2={x(now)} y1="2" y2={HEIGHT - 2} />
    </svg>
  );
}

export const REASONS: Readonly<Record<'down' | 'overlap', string>> = {
  down: 'no scheduler ran',
  overlap: 'the earlier run had not ended',
};

function summary(past: readonly PastTick[], upcoming: readonly string[]): string {
  const failed = past.filter(({ state }) => state === 'FAILURE').length;
  return `${past.length} ${past.length === 1 ? 'run' : 'runs'}, ${failed} failed, ${upcoming.length} expected`;
}
