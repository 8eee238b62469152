/** Parts of the histogram's drawing: stacked bars by state, bands of times by how many runs they have, the axis. */
import type { JSX } from 'preact';
import type { RunHistogram } from '@stratum/dashboard/answers';
import { duration } from '../format.js';

export const HEIGHT = 132;
export const LEFT = 48;
export const TOP = 6;
export const BOTTOM = 20;
const RIGHT = 4;
const SECOND_MS = 1_000;
const DAY_S = 86_400;
const TICK_PX = 150;
/** Between bars. */
const GAP_PX = 1;
const PLOT = HEIGHT - TOP - BOTTOM;

export interface Drawn {
  histogram: RunHistogram;
  /** In pixels. */
  width: number;
}

/** Of a column, in pixels. */
export function columnWidth({ histogram, width }: Drawn): number {
  return Math.max(0, width - LEFT - RIGHT) / histogram.at.length;
}

export function totalsOf({ at, rows }: RunHistogram): number[] {
  return at.map((_at, index) => rows.reduce((sum, { counts }) => sum + (counts[index] ?? 0), 0));
}

function columnX(drawn: Drawn, column: number): number {
  return LEFT + column * columnWidth(drawn);
}

/** One on another, failures at the bottom, where their heights compare. */
export function Bars(drawn: Drawn): JSX.Element {
  const { histogram } = drawn;
  const most = Math.max(1, ...totalsOf(histogram));
  const stacked = histogram.rows.toSorted(
    (a, b) => Number(b.state === 'FAILURE') - Number(a.state === 'FAILURE'),
  );
  const bases = histogram.at.map(() => TOP + PLOT);
  return (
    <>
      <Level y={TOP} width={drawn.width} text={most.toLocaleString('en', { notation: 'compact' })} />
      <Level y={TOP + PLOT} width={drawn.width} text="0" />
      {stacked.map(({ state, counts }) => (
        <g key={state} class={`bar state-${state?.toLowerCase()}`}>
          {counts.map((n, index) => {
            if (n === 0) return null;
            // What has happened is seen, however little it is beside the rest.
            const height = Math.max(1, (n / most) * PLOT);
            const y = Math.max(TOP, (bases[index] ?? 0) - height);
            bases[index] = y;
            return (
              <rect
                key={index}
                x={columnX(drawn, index)}
                y={y}
                width={Math.max(1, columnWidth(drawn) - GAP_PX)}
                height={height}
              />
            );
          })}
        </g>
      ))}
    </>
  );
}

const FAINTEST = 0.12;

/** A row for each doubling of the time, the darker the more runs it has; a line through the medians. */
export function Bands(drawn: Drawn): JSX.Element {
  const { rows } = drawn.histogram;
  const most = Math.max(1, ...rows.flatMap(({ counts }) => counts));
  const height = PLOT / Math.max(1, rows.length);
  const top = (row: number): number => TOP + PLOT - (row + 1) * height;
  const [shortest, longest] = [rows[0], rows.at(-1)];
  return (
    <>
      <Level y={TOP} width={drawn.width} text={duration(longest?.to_ms ?? null)} />
      <Level y={TOP + PLOT} width={drawn.width} text={duration(shortest?.from_ms ?? null)} />
      {rows.map(({ from_ms: from, counts }, row) => (
        <g key={from} class="band">
          {counts.map((n, index) =>
            n === 0 ? null : (
              <rect
                key={index}
                x={columnX(drawn, index)}
                y={top(row)}
                width={Math.max(1, columnWidth(drawn) - GAP_PX)}
                height={Math.max(1, height - GAP_PX)}
                fill-opacity={(FAINTEST + (1 - FAINTEST) * Math.sqrt(n / most)).toFixed(2)}
              />
            ),
          )}
        </g>
      ))}
    </>
  );
}

function Level({ y, width, text }: { y: number; width: number; text: string }): JSX.Element {
  return (
    <>
      <line class="grid" x1={LEFT} x2={Math.max(LEFT, width - RIGHT)} y1={y} y2={y} />
      <text class="tick" x={LEFT - 6} y={y === TOP ? y + 7 : y} text-anchor="end">
        {text}
      </text>
    </>
  );
}

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const BOTH = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});

/** Times below the columns, and a veil over those that were not counted. */
export function Axis(drawn: Drawn): JSX.Element {
  const { histogram, width } = drawn;
  const { at, step_s: step, counted_since: since, complete } = histogram;
  const length = at.length * step;
  const format = length <= DAY_S ? TIME : length <= 7 * DAY_S ? BOTH : DAY;
  const ticks = Math.max(2, Math.floor(width / TICK_PX));
  const uncounted = complete
    ? 0
    : Math.ceil((Date.parse(since) / SECOND_MS - (at[0] ?? 0)) / step) * columnWidth(drawn);
  return (
    <>
      {uncounted > 0 && <rect class="uncounted" x={LEFT} y={TOP} width={uncounted} height={PLOT} />}
      {Array.from({ length: ticks }, (_each, index) => {
        const share = index / (ticks - 1);
        const moment = ((at[0] ?? 0) + share * length) * SECOND_MS;
        return (
          <text
            key={index}
            class="tick"
            x={LEFT + share * Math.max(0, width - LEFT - RIGHT)}
            y={HEIGHT - 5}
            text-anchor={index === 0 ? 'start' : index === ticks - 1 ? 'end' : 'middle'}
          >
            {format.format(new Date(moment))}
          </text>
        );
      })}
    </>
  );
}
